/** Which items of a turn belong together: quiet calls, and what a sub-agent does within its call. */
import type { ToolItem, Turn } from 'sandbox-agent-client';
import { type ToolSort, toolSort } from './kinds.ts';
import type { Item } from './shapes.ts';

/** An item, or adjacent calls that only look at things. */
export type Grouped = Item | readonly ToolItem[];

const QUIET: ReadonlySet<ToolSort> = new Set([
  'read',
  'search',
  'web-search',
  'fetch',
  'think',
  'todos',
  'skill',
]);

const children = new WeakMap<readonly Item[], ReadonlyMap<string, readonly Item[]>>();
const NONE: readonly Item[] = [];

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

/** Adjacent calls that only look at things become one list; the others stay as they are. */
export function groupQuiet(items: readonly Item[], turn: Turn = { items: [...items] }): Grouped[] {
  const all = turn.items ?? NONE;
  const asked = askedIn(all);
  const nested = childrenIn(all);
  const grouped: Grouped[] = [];
  let quiet: ToolItem[] = [];
  const flush = () => {
    if (quiet.length > 0) grouped.push(quiet);
    quiet = [];
  };
  for (const item of items) {
    if (item.type === 'tool' && isQuiet(item, nested.has(item.toolCallId), asked)) {
      quiet.push(item);
      continue;
    }
    flush();
    grouped.push(item);
  }
  flush();
  return grouped;
}

export function isGroup(one: Grouped): one is readonly ToolItem[] {
  return Array.isArray(one);
}

/** The calls that somebody was asked about. */
function askedIn(items: readonly Item[]): ReadonlySet<string> {
  const asked = new Set<string>();
  for (const item of items) {
    const isQuestion = item.type === 'permission' || item.type === 'hook';
    if (isQuestion && item.toolCall) asked.add(item.toolCall.toolCallId);
  }
  return asked;
}

function isQuiet(item: ToolItem, hasChildren: boolean, asked: ReadonlySet<string>): boolean {
  if (item.status === 'failed' || asked.has(item.toolCallId)) return false;
  if (item.diffs?.length) return false;
  return QUIET.has(toolSort(item, hasChildren));
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
  return count === 1 ? 'once' : `${count}×`;
}
