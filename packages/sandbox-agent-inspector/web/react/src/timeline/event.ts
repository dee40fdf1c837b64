/** What the timeline needs of an event: new types and new fields are expected, so nothing is assumed about `data`. */
export interface EventLike {
  readonly seq: number;
  readonly time: string;
  readonly type: string;
  readonly sender: string;
  readonly turnId?: string | null;
  readonly data?: unknown;
}

/** A member of foreign data, if that has it itself: `__proto__` and `constructor` are names like any other. */
export function member(data: unknown, name: string): unknown {
  if (typeof data !== 'object' || data === null) return undefined;
  return Object.hasOwn(data, name) ? (data as Record<string, unknown>)[name] : undefined;
}

export function textMember(data: unknown, name: string): string {
  const value = member(data, name);
  return typeof value === 'string' ? value : '';
}

const LINE = 240;

/** The beginning of a text, on one line: rows never need more, and a message may have megabytes. */
export function firstLine(text: string): string {
  return text
    .slice(0, LINE * 2)
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, LINE);
}

/** `tool.started` belongs to `tool`, `error` to itself. */
export function familyOf(type: string): string {
  const dot = type.indexOf('.');
  return dot < 0 ? type : type.slice(0, dot);
}

export function isDelta(type: string): boolean {
  return type === 'message.delta' || type === 'reasoning.delta';
}
