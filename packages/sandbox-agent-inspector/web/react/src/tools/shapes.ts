/** Reading what agents send: of any shape, and not to be trusted. */
import type { ToolItem, Turn } from 'sandbox-agent-client';

export type Item = NonNullable<Turn['items']>[number];
export type ContentBlock = NonNullable<ToolItem['content']>[number];
export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

export function own(value: unknown, key: string): unknown {
  const fields = fieldsOf(value);
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

/** The first of the members that is a text with something in it. */
export function textOf(value: unknown, ...keys: readonly string[]): string | null {
  for (const key of keys) {
    const found = own(value, key);
    if (typeof found === 'string' && found.trim() !== '') return found;
  }
  return null;
}

export function numberOf(value: unknown, ...keys: readonly string[]): number | null {
  for (const key of keys) {
    const found = own(value, key);
    if (typeof found === 'number' && Number.isFinite(found)) return found;
  }
  return null;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** All text that a call shows. */
export function shownText(item: ToolItem): string | null {
  const texts = (item.content ?? []).flatMap((block) =>
    block.type === 'text' && typeof block.text === 'string' ? [block.text] : [],
  );
  const text = texts.join('\n');
  return text.trim() === '' ? null : text;
}

/** Text that is nothing but one fenced block, without the fence. */
export function withoutFence(text: string): { text: string; language: string | null } {
  const found = /^\s*(`{3,}|~{3,})([^\n`]*)\n([\s\S]*?)\n?\1\s*$/.exec(text);
  if (!found) return { text, language: null };
  return { text: found[3] ?? '', language: found[2]?.trim() || null };
}

/** `path` as it is called from the working directory. */
export function relativePath(path: string, cwd: string | null | undefined): string {
  if (!cwd) return path;
  const root = cwd.endsWith('/') ? cwd : `${cwd}/`;
  return path.startsWith(root) ? path.slice(root.length) : path;
}

/** A path of the call, absolute where the working directory is known. */
export function absolutePath(path: string, cwd: string | null | undefined): string {
  if (path.startsWith('/') || !cwd) return path;
  return `${cwd.replace(/\/$/, '')}/${path.replace(/^\.\//, '')}`;
}
