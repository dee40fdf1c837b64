/** A transcript as a flat list of rows with stable ids. A turn that did not change keeps its rows. */
import type {
  MessageItem,
  NoticeItem,
  PlanItem,
  QueuedPrompt,
  ReasoningItem,
  ToolItem,
  Transcript,
  Turn,
} from 'sandbox-agent-client';
import { groupQuiet, parentOf } from '../tools/index.ts';
import {
  type GroupItems,
  itemKey,
  type PromptBlock,
  type RequestItem,
  type TurnItem,
} from './items.ts';

interface RowOf {
  /** Stable over the life of the session: the key of the row, and of what people chose for it. */
  readonly key: string;
  /** As it was when the row was made: later items that the row does not show are not in it. */
  readonly turn: Turn;
}

export type ConversationRow = RowOf &
  (
    | { readonly kind: 'prompt'; readonly blocks: readonly PromptBlock[] }
    | { readonly kind: 'steered'; readonly blocks: readonly PromptBlock[]; readonly time: string }
    | { readonly kind: 'origin'; readonly origin: 'agent' | 'compact' | 'review' }
    | { readonly kind: 'message'; readonly item: MessageItem }
    | { readonly kind: 'reasoning'; readonly item: ReasoningItem }
    | { readonly kind: 'tool'; readonly item: ToolItem }
    | { readonly kind: 'quiet'; readonly items: readonly ToolItem[] }
    | { readonly kind: 'plan'; readonly item: PlanItem }
    | { readonly kind: 'request'; readonly item: RequestItem }
    | { readonly kind: 'notice'; readonly item: NoticeItem }
    | { readonly kind: 'error' }
    | { readonly kind: 'working' }
    | { readonly kind: 'summary' /** 0: not known yet. */; readonly number: number }
    | { readonly kind: 'queued'; readonly prompt: QueuedPrompt; readonly position: number }
  );

export type RowKind = ConversationRow['kind'];

const NO_TURN: Turn = {};
/** Deeper is a circle, or as good as one. */
const DEEPEST = 64;

interface RowsOfTurn {
  readonly turn: Turn;
  readonly number: number;
  readonly rows: readonly ConversationRow[];
}

interface Made {
  readonly transcript: Transcript;
  readonly complete: boolean;
  readonly rows: readonly ConversationRow[];
  /** Behind each turn: how many rows there are, and how many turns have a number. */
  readonly ends: readonly { readonly row: number; readonly number: number }[];
}

/**
 * Makes the rows of one session. What has not changed keeps its row: of a turn in which a text is being written, all
 * but the row of that text are the same objects.
 */
export class RowModel {
  private readonly group: GroupItems;
  private readonly ofTurn = new WeakMap<Turn, RowsOfTurn>();
  /** The last that were made of each turn, by its key. */
  private readonly ofKey = new Map<string, RowsOfTurn>();
  private last: Made = { transcript: {}, complete: true, rows: [], ends: [] };

  constructor(group: GroupItems = groupQuiet) {
    this.group = group;
  }

  /** Turns are numbered once the history is `complete`. */
  rows(transcript: Transcript, complete = true): readonly ConversationRow[] {
    const { last } = this;
    if (last.transcript === transcript && last.complete === complete) return last.rows;
    const turns = transcript.turns ?? [];
    const same = last.complete === complete ? sameAtStart(last.transcript.turns ?? [], turns) : 0;
    const ends = last.ends.slice(0, same);
    const rows = last.rows.slice(0, ends.at(-1)?.row ?? 0);
    let number = ends.at(-1)?.number ?? 0;
    for (const turn of turns.slice(same)) {
      if (turn.id && complete) number += 1;
      for (const row of this.rowsOf(turn, number)) rows.push(row);
      ends.push({ row: rows.length, number });
    }
    (transcript.queued ?? []).forEach((prompt, index) => {
      const key = `queued:${prompt.turnId ?? index}`;
      rows.push({ kind: 'queued', key, turn: NO_TURN, prompt, position: index + 1 });
    });
    this.last = { transcript, complete, rows, ends };
    return rows;
  }

  private rowsOf(turn: Turn, number: number): readonly ConversationRow[] {
    const known = this.ofTurn.get(turn);
    if (known?.number === number) return known.rows;
    const key = turnKeyOf(turn);
    const before = this.ofKey.get(key);
    const fresh = turnRows(turn, number, this.group);
    const rows = before?.number === number ? kept(fresh, before, turn) : fresh;
    const made = { turn, number, rows };
    this.ofTurn.set(turn, made);
    this.ofKey.set(key, made);
    return rows;
  }
}

/** How many turns at the beginning of both lists are the same. */
function sameAtStart(one: readonly Turn[], other: readonly Turn[]): number {
  const most = Math.min(one.length, other.length);
  for (let index = 0; index < most; index += 1) if (one[index] !== other[index]) return index;
  return most;
}

/** The rows, with those of before in the places of all that show the same. */
function kept(
  rows: readonly ConversationRow[],
  before: RowsOfTurn,
  turn: Turn,
): readonly ConversationRow[] {
  if (!isSameButItems(before.turn, turn)) return rows;
  const isWorkSame = sameItems(workOf(before.turn), workOf(turn));
  const old = new Map(before.rows.map((row) => [row.key, row]));
  return rows.map((row) => {
    const one = old.get(row.key);
    return one && isSameRow(one, row, isWorkSame) ? one : row;
  });
}

function isSameButItems(one: Turn, other: Turn): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]) as Set<keyof Turn>;
  names.delete('items');
  return [...names].every((name) => one[name] === other[name]);
}

/** What the row of a call may tell of besides its own item: what was asked about it, and what was done within it. */
function workOf(turn: Turn): TurnItem[] {
  return (turn.items ?? []).filter((item) => !isWords(item) || parentOf(item) !== null);
}

function isWords(item: TurnItem): boolean {
  return item.type === 'message' || item.type === 'reasoning' || item.type === 'plan';
}

function isSameRow(one: ConversationRow, other: ConversationRow, isWorkSame: boolean): boolean {
  if (one.kind !== other.kind) return false;
  if (one.kind === 'quiet') {
    return isWorkSame && other.kind === 'quiet' && sameItems(one.items, other.items);
  }
  if ('item' in one) {
    if (!('item' in other) || one.item !== other.item) return false;
    return one.kind !== 'tool' || isWorkSame;
  }
  // It copies what was said, which may go on behind the end.
  return one.kind !== 'summary';
}

function sameItems(one: readonly TurnItem[], other: readonly TurnItem[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index]);
}

export function turnKeyOf(turn: Turn): string {
  return turn.id ?? `between:${turn.items?.[0]?.seq ?? 0}`;
}

export function turnRows(turn: Turn, number: number, group: GroupItems): ConversationRow[] {
  const turnKey = turnKeyOf(turn);
  const rows: ConversationRow[] = [];
  if (turn.origin && turn.origin !== 'prompt') {
    rows.push({ kind: 'origin', key: `origin:${turnKey}`, turn, origin: turn.origin });
  } else if (turn.prompt && turn.prompt.length > 0) {
    rows.push({ kind: 'prompt', key: `prompt:${turnKey}`, turn, blocks: turn.prompt });
  }
  const steered = turn.steered ?? [];
  let steeredCount = 0;
  const steerUntil = (time: string | null) => {
    for (; steeredCount < steered.length; steeredCount += 1) {
      const prompt = steered[steeredCount];
      if (!prompt || (time !== null && prompt.time > time)) return;
      const key = `steered:${turnKey}:${steeredCount}`;
      rows.push({ kind: 'steered', key, turn, blocks: prompt.content ?? [], time: prompt.time });
    }
  };
  for (const one of group(ownItems(turn), turn)) {
    const row = isGroup(one) ? quietRow(one, turn, turnKey) : itemRow(one, turn, turnKey);
    if (row === null) continue;
    // A time says when an item was begun or completed: only words said before that are above it.
    if (steeredCount < steered.length) steerUntil(isGroup(one) ? (one[0]?.time ?? null) : one.time);
    rows.push(row);
  }
  steerUntil(null);
  if (turn.error) rows.push({ kind: 'error', key: `error:${turnKey}`, turn });
  if (turn.id && turn.startedAt) {
    // One row that is first "working", then the summary, so that the end of a turn moves nothing.
    const key = `end:${turnKey}`;
    const isOver = turn.stopReason || turn.endedAt;
    rows.push(isOver ? { kind: 'summary', key, turn, number } : { kind: 'working', key, turn });
  }
  return rows;
}

/** The items with a row of their own: what a sub-agent said and did is inside of its card. */
function ownItems(turn: Turn): TurnItem[] {
  const items = turn.items ?? [];
  const parents = new Map<string, string | null>();
  for (const item of items) if (item.type === 'tool') parents.set(item.toolCallId, parentOf(item));
  return items.filter((item) => !isWithin(parentOf(item), parents));
}

/** Whether it is inside of a call that is shown. Calls that are inside of each other would hide all that they do. */
function isWithin(parent: string | null, parents: ReadonlyMap<string, string | null>): boolean {
  let at = parent;
  if (at === null || !parents.has(at)) return false;
  for (let depth = 0; depth < DEEPEST; depth += 1) {
    const above = parents.get(at);
    if (above == null || !parents.has(above)) return true;
    at = above;
  }
  return false;
}

function isGroup(one: TurnItem | readonly ToolItem[]): one is readonly ToolItem[] {
  return Array.isArray(one);
}

function quietRow(items: readonly ToolItem[], turn: Turn, turnKey: string): ConversationRow | null {
  const first = items[0];
  if (!first) return null;
  return { kind: 'quiet', key: `quiet:${turnKey}:${first.toolCallId}`, turn, items };
}

function itemRow(item: TurnItem, turn: Turn, turnKey: string): ConversationRow | null {
  const key = itemKey(item, turnKey);
  switch (item.type) {
    case 'message': {
      const isEmpty = !item.text && !item.attachments?.length && !item.streaming;
      return isEmpty ? null : { kind: 'message', key, turn, item };
    }
    case 'reasoning':
      return item.text?.trim() || item.streaming ? { kind: 'reasoning', key, turn, item } : null;
    case 'tool':
      return { kind: 'tool', key, turn, item };
    case 'plan':
      return { kind: 'plan', key, turn, item };
    case 'notice':
      return { kind: 'notice', key, turn, item };
    default:
      return { kind: 'request', key, turn, item };
  }
}

/** Key of the row that an event of this `seq` is shown in: its own, or the one before. */
export function rowKeyOfSeq(rows: readonly ConversationRow[], seq: number): string | null {
  let best: { key: string; seq: number } | null = null;
  let next: { key: string; seq: number } | null = null;
  for (const row of rows) {
    for (const at of seqsOf(row)) {
      if (at <= seq && (best === null || at >= best.seq)) best = { key: row.key, seq: at };
      if (at > seq && (next === null || at < next.seq)) next = { key: row.key, seq: at };
    }
  }
  return best?.key ?? next?.key ?? null;
}

function seqsOf(row: ConversationRow): readonly number[] {
  if (row.kind === 'quiet') return row.items.map((item) => item.seq);
  return 'item' in row ? [row.item.seq] : [];
}

/** Key of the first row of a turn. */
export function rowKeyOfTurn(rows: readonly ConversationRow[], turnId: string): string | null {
  const found = rows.find(
    (row) => row.turn.id === turnId || (row.kind === 'queued' && row.prompt.turnId === turnId),
  );
  return found?.key ?? null;
}
