/** The items of a turn as rows: quiet calls together, what a sub-agent does within it. */
import type { ToolItem, Turn } from 'sandbox-agent-client';
import { type ToolSort, toolSort } from './kinds.ts';
import type { Item } from './shapes.ts';

export interface ItemRow {
  readonly type: 'item';
  readonly id: string;
  readonly item: Item;
}

export interface QuietGroup {
  readonly type: 'quiet';
  readonly id: string;
  readonly items: readonly ToolItem[];
}

export type ToolRow = ItemRow | QuietGroup;

const QUIET: ReadonlySet<ToolSort> = new Set([
  'read',
  'search',
  'web-search',
  'fetch',
  'think',
  'todos',
  'skill',
]);

const groups = new WeakMap<readonly Item[], readonly ToolRow[]>();
const children = new WeakMap<readonly Item[], ReadonlyMap<string, readonly Item[]>>();
const NONE: readonly Item[] = [];

export function itemId(item: Item): string {
  return `${item.type}-${item.seq}`;
}

/** What was done within each call, by its id. */
export function childrenOf(turn: Turn | null | undefined, toolCallId: string): readonly Item[] {
  return childrenIn(turn?.items ?? NONE).get(toolCallId) ?? NONE;
}

function childrenIn(items: readonly Item[]): ReadonlyMap<string, readonly Item[]> {
  const known = children.get(items);
  if (known) return known;
  const calls = new Set(items.flatMap((item) => (item.type === 'tool' ? [item.toolCallId] : [])));
  const found = new Map<string, Item[]>();
  for (const item of items) {
    const parent = parentOf(item);
    // Nobody is its own parent, whatever it says.
    if (parent === null || !calls.has(parent)) continue;
    if (item.type === 'tool' && item.toolCallId === parent) continue;
    const list = found.get(parent);
    if (list) list.push(item);
    else found.set(parent, [item]);
  }
  children.set(items, found);
  return found;
}

export function parentOf(item: Item): string | null {
  return 'parentToolCallId' in item ? (item.parentToolCallId ?? null) : null;
}

/**
 * Adjacent calls that only look at things become one row; the others stay as they are. What has a parent among the
 * items is left out: it is shown there. The same items give the same rows.
 */
export function groupQuiet(items: readonly Item[]): readonly ToolRow[] {
  const known = groups.get(items);
  if (known) return known;
  const nested = childrenIn(items);
  const within = new Set([...nested.values()].flat());
  const parents = new Map(
    items.flatMap((item) =>
      item.type === 'tool' ? [[item.toolCallId, parentOf(item)] as const] : [],
    ),
  );
  const rows = groupRows(
    items.filter((item) => !within.has(item) || isCyclic(item, parents)),
    items,
  );
  groups.set(items, rows);
  return rows;
}

/** The same for what is within a call. */
export function groupChildren(turn: Turn, toolCallId: string): readonly ToolRow[] {
  const items = childrenOf(turn, toolCallId);
  const known = groups.get(items);
  if (known) return known;
  const rows = groupRows(items, turn.items ?? NONE);
  groups.set(items, rows);
  return rows;
}

function groupRows(shown: readonly Item[], all: readonly Item[]): ToolRow[] {
  const rows: ToolRow[] = [];
  const asked = new Set(
    all.flatMap((item) =>
      (item.type === 'permission' || item.type === 'hook') && item.toolCall
        ? [item.toolCall.toolCallId]
        : [],
    ),
  );
  const nested = childrenIn(all);
  let quiet: ToolItem[] = [];
  const flush = () => {
    const [first] = quiet;
    if (first) rows.push({ type: 'quiet', id: `quiet-${first.seq}`, items: quiet });
    quiet = [];
  };
  for (const item of shown) {
    if (item.type === 'tool' && isQuiet(item, nested.has(item.toolCallId), asked)) {
      quiet.push(item);
      continue;
    }
    flush();
    rows.push({ type: 'item', id: itemId(item), item });
  }
  flush();
  return rows;
}

function isQuiet(item: ToolItem, hasChildren: boolean, asked: ReadonlySet<string>): boolean {
  if (item.status === 'failed' || asked.has(item.toolCallId)) return false;
  if (item.diffs?.length) return false;
  return QUIET.has(toolSort(item, hasChildren));
}

/** A call whose ancestors come back to it has no place but the top. */
function isCyclic(item: Item, parents: ReadonlyMap<string, string | null>): boolean {
  const seen = new Set<string>();
  for (let at = parentOf(item); at !== null; at = parents.get(at) ?? null) {
    if (seen.has(at)) return true;
    seen.add(at);
  }
  return false;
}

const COUNTED: readonly [ToolSort, string, (count: number) => string][] = [
  ['read', 'read', (count) => plural(count, 'file')],
  ['search', 'searched', times],
  ['web-search', 'searched the web', times],
  ['fetch', 'fetched', (count) => plural(count, 'page')],
  ['skill', 'used', (count) => plural(count, 'skill')],
  ['todos', 'updated the plan', times],
  ['think', 'thought', times],
];

/** "Read 3 files, searched 2×" */
export function quietSummary(items: readonly ToolItem[]): string {
  const counts = new Map<ToolSort, number>();
  for (const item of items) {
    const sort = toolSort(item);
    counts.set(sort, (counts.get(sort) ?? 0) + 1);
  }
  const words = COUNTED.flatMap(([sort, verb, counted]) => {
    const count = counts.get(sort);
    return count === undefined ? [] : [`${verb} ${counted(count)}`.trim()];
  }).join(', ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

function times(count: number): string {
  return count === 1 ? '' : `${count}×`;
}
