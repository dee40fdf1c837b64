import { type EventLike, familyOf, firstLine, isDelta, member, textMember } from './event.ts';
import { type Telling, tell } from './telling.ts';

export type RowState = 'none' | 'running' | 'waiting' | 'ok' | 'failed';

/** One line of the timeline: an event, or all events of one thing (a turn, a call, a request, a message). */
export interface TimelineRow {
  /** Stays the same while the thing goes on, and is what the chat's items have too: see `keyOfItem`. */
  readonly key: string;
  readonly family: string;
  readonly turnId: string | null;
  /** Rises from turn to turn; 0 is outside of turns. Neighbours with the same number are one band. */
  readonly band: number;
  /** Grows with the row: a command may print ten thousand times, and nobody copies that each time. */
  readonly seqs: readonly number[];
  readonly types: readonly string[];
  readonly title: string;
  readonly detail: string;
  /** Milliseconds since the epoch. */
  readonly start: number;
  /** Of the last event so far; the thing goes on while `open`. */
  readonly end: number;
  readonly open: boolean;
  readonly state: RowState;
}

const REQUESTS: ReadonlySet<string> = new Set(['permission', 'question', 'hook', 'host_tool']);

interface Place {
  key: string;
  opens: boolean;
  closes: boolean;
}

export interface RowOptions {
  /** Each delta is a row of its own; else they are part of the message that they make. */
  readonly deltas?: boolean;
  /** Each entry is a row of its own, told of like this. */
  readonly tellSingly?: (event: EventLike) => Telling;
}

/** Puts events together to rows, one after the other. A row that goes on is another object. */
export class TimelineRows {
  readonly rows: TimelineRow[] = [];
  readonly counts = new Map<string, number>();
  private readonly byKey = new Map<string, number>();
  private readonly bands = new Map<string, number>();
  private readonly messages = new Map<string, string>();
  private readonly calls = new Map<string, string>();
  private last = 0;

  constructor(private readonly options: RowOptions = {}) {}

  push(event: EventLike): void {
    this.counts.set(event.type, (this.counts.get(event.type) ?? 0) + 1);
    this.last = event.seq;
    const place = this.place(event);
    const at = this.byKey.get(place.key);
    const old = at === undefined ? undefined : this.rows[at];
    if (at === undefined || old === undefined) {
      this.byKey.set(place.key, this.rows.length);
      this.rows.push(this.begin(event, place));
    } else {
      this.rows[at] = proceed(old, event, place);
    }
  }

  get lastSeq(): number {
    return this.last;
  }

  private place(event: EventLike): Place {
    const family = familyOf(event.type);
    const own: Place = { key: `event:${event.seq}`, opens: false, closes: false };
    if (this.options.tellSingly) return own;
    if (family === 'tool') {
      const id = textMember(event.data, 'toolCallId');
      const over = event.type === 'tool.completed';
      return id ? { key: this.callKey(event, id), opens: !over, closes: over } : own;
    }
    if (REQUESTS.has(family)) {
      const id = textMember(event.data, 'requestId');
      const over = event.type.endsWith('.resolved');
      return id ? { key: `request:${id}`, opens: !over, closes: over } : own;
    }
    if (family === 'task') {
      const id = textMember(event.data, 'taskId');
      const over = event.type === 'task.ended';
      return id ? { key: `task:${id}`, opens: !over, closes: over } : own;
    }
    if (event.type === 'turn.started' || event.type === 'turn.ended') {
      const over = event.type === 'turn.ended';
      return event.turnId ? { key: `turn:${event.turnId}`, opens: !over, closes: over } : own;
    }
    if (family !== 'message' && family !== 'reasoning') return own;
    if (this.options.deltas && isDelta(event.type)) return own;
    return this.messagePlace(event, family);
  }

  /** As the fold has it: agents that count their calls anew in every turn use an id twice. */
  private callKey(event: EventLike, id: string): string {
    const key = this.calls.get(id);
    const row = this.rows[this.byKey.get(key ?? '') ?? -1];
    const isAnother =
      event.type !== 'tool.updated' &&
      member(event.data, 'late') !== true &&
      row?.open === false &&
      (event.turnId ?? null) !== row.turnId;
    if (key !== undefined && !isAnother) return key;
    const own = callKeyOf(event.turnId, id);
    this.calls.set(id, own);
    return own;
  }

  /** A message has all its pieces in one row, though several may be open at once and it may be completed in parts. */
  private messagePlace(event: EventLike, family: string): Place {
    const id = textMember(event.data, 'messageId');
    const speaker = textMember(event.data, 'parentToolCallId');
    const run = [family, event.turnId ?? '', id, textMember(event.data, 'role'), speaker].join(
      '\n',
    );
    const over = !isDelta(event.type);
    const key = this.messages.get(run) ?? `message:${event.seq}`;
    if (over && !id) this.messages.delete(run);
    else this.messages.set(run, key);
    return { key, opens: !over, closes: over };
  }

  private begin(event: EventLike, place: Place): TimelineRow {
    const start = Date.parse(event.time);
    const { title, detail } = (this.options.tellSingly ?? tell)(event);
    return {
      key: place.key,
      family: familyOf(event.type),
      turnId: event.turnId ?? null,
      band: this.bandOf(event.turnId),
      seqs: [event.seq],
      types: [event.type],
      // No row is without a label.
      title: title || detail ? title : firstLine(event.type.replaceAll(/[._]/g, ' ')),
      detail,
      start,
      end: start,
      open: place.opens,
      state: stateAfter(event, place, 'none'),
    };
  }

  private bandOf(turnId: string | null | undefined): number {
    if (!turnId) return 0;
    const known = this.bands.get(turnId);
    if (known !== undefined) return known;
    const band = this.bands.size + 1;
    this.bands.set(turnId, band);
    return band;
  }
}

function proceed(old: TimelineRow, event: EventLike, place: Place): TimelineRow {
  const told = tell(event);
  (old.seqs as number[]).push(event.seq);
  const closed = !old.open && old.state !== 'none';
  return {
    ...old,
    types: old.types.includes(event.type) ? old.types : [...old.types, event.type],
    ...words(old, event, told),
    end: Math.max(old.end, Date.parse(event.time)),
    // What comes after the end (a doubled update) does not open it again.
    open: closed ? false : place.opens,
    state: closed && !place.closes ? old.state : stateAfter(event, place, old.state),
  };
}

function words(old: TimelineRow, event: EventLike, told: { title: string; detail: string }) {
  switch (old.family) {
    case 'turn':
      // The prompt stays the title of its turn; how it ended stands beside it.
      return textMember(event.data, 'stopReason') === 'end_turn' ? {} : { detail: told.title };
    case 'message':
    case 'reasoning':
      return event.type.endsWith('.completed') && old.types.length === 1
        ? { title: told.title || old.title }
        : {};
    case 'tool':
      return { title: told.title || old.title, detail: told.detail || old.detail };
    default:
      return { detail: [told.title, told.detail].filter(Boolean).join(' · ') };
  }
}

const FAILED = new Set(['failed', 'error', 'interrupted', 'refusal']);

function stateAfter(event: EventLike, place: Place, before: RowState): RowState {
  const family = familyOf(event.type);
  if (event.type === 'error' || event.type === 'log.damaged') return 'failed';
  if (event.type === 'agent.exited') {
    return member(event.data, 'expected') === true ? 'none' : 'failed';
  }
  if (event.type === 'mcp.status') {
    return textMember(event.data, 'status') === 'failed' ? 'failed' : 'none';
  }
  if (place.opens) return REQUESTS.has(family) ? 'waiting' : 'running';
  if (!place.closes) return before;
  const outcome =
    textMember(event.data, 'status') ||
    textMember(event.data, 'stopReason') ||
    textMember(event.data, 'outcome');
  return FAILED.has(outcome) ? 'failed' : 'ok';
}

function callKeyOf(turnId: string | null | undefined, toolCallId: string): string {
  return `tool:${turnId ?? ''}:${toolCallId}`;
}

/** The key of the row of an item of a turn. Messages have none: they are found by their `seq`. */
export function keyOfItem(
  item: { type: string; toolCallId?: string | null; requestId?: string | null },
  turnId: string | null | undefined,
): string | null {
  if (item.type === 'tool' && item.toolCallId) return callKeyOf(turnId, item.toolCallId);
  return item.requestId ? `request:${item.requestId}` : null;
}

/** Where the event with this `seq` is, or the nearest before it; -1 without rows. Rows need not be in order of their ends. */
export function rowOfSeq(rows: readonly TimelineRow[], seq: number): number {
  let low = 0;
  let high = rows.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if ((rows[middle]?.seqs[0] ?? 0) <= seq) low = middle + 1;
    else high = middle - 1;
  }
  for (let at = high; at >= 0; at -= 1) {
    const seqs = rows[at]?.seqs ?? [];
    if ((seqs.at(-1) ?? 0) >= seq && seqs.includes(seq)) return at;
  }
  return Math.max(high, rows.length > 0 ? 0 : -1);
}
