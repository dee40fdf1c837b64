import { familyOf } from './event.ts';
import type { TimelineRow } from './rows.ts';

export interface TimelineFilter {
  /** Types that are left out: what is new shows up by itself. */
  readonly hidden: ReadonlySet<string>;
  readonly text: string;
}

export const NO_FILTER: TimelineFilter = { hidden: new Set(), text: '' };

export interface TypeCount {
  readonly type: string;
  readonly count: number;
}

export interface TypeGroup {
  readonly family: string;
  readonly count: number;
  readonly types: readonly TypeCount[];
}

/** The types that there are, by their families, both in the order of the alphabet so that nothing jumps while it counts. */
export function typeGroups(counts: ReadonlyMap<string, number>): TypeGroup[] {
  const families = new Map<string, TypeCount[]>();
  for (const [type, count] of counts) {
    const family = familyOf(type);
    const types = families.get(family) ?? [];
    types.push({ type, count });
    families.set(family, types);
  }
  return [...families]
    .sort(([one], [other]) => compare(one, other))
    .map(([family, types]) => ({
      family,
      count: types.reduce((sum, one) => sum + one.count, 0),
      types: types.sort((one, other) => compare(one.type, other.type)),
    }));
}

const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

export function toggled(
  hidden: ReadonlySet<string>,
  types: readonly string[],
  show: boolean,
): ReadonlySet<string> {
  const next = new Set(hidden);
  for (const type of types) {
    if (show) next.delete(type);
    else next.add(type);
  }
  return next;
}

/** The rows that pass: the very same list when nothing is filtered. `textOf` adds what is searched besides the words shown. */
export function filterRows(
  rows: readonly TimelineRow[],
  filter: TimelineFilter,
  textOf: (row: TimelineRow) => string = () => '',
): readonly TimelineRow[] {
  const text = filter.text.trim().toLowerCase();
  if (!text && filter.hidden.size === 0) return rows;
  return rows.filter((row) => {
    if (row.types.every((type) => filter.hidden.has(type))) return false;
    if (!text) return true;
    const shown = `${row.types.join(' ')} ${row.title} ${row.detail}`.toLowerCase();
    return shown.includes(text) || textOf(row).toLowerCase().includes(text);
  });
}
