/** The list as rows of known heights, so that any part of thousands can be shown at once. Pure. */
import type { RequestInfo, SessionInfo } from 'sandbox-agent-client';
import { GROUP_LABELS, type GroupId } from './grouping.ts';
import type { Placed } from './steady-order.ts';

export type ListRow =
  | {
      kind: 'heading';
      key: string;
      label: string;
      group: GroupId;
      count: number;
      height: number;
      top: number;
    }
  | {
      kind: 'session';
      key: string;
      session: SessionInfo;
      requests: readonly RequestInfo[];
      /** Position among all sessions, from 1. */
      position: number;
      height: number;
      top: number;
    };

export interface RowHeights {
  heading: number;
  session: number;
  waiting: number;
}

export function rowHeights(isCompact: boolean, isTouch: boolean): RowHeights {
  if (isTouch) {
    return { heading: 36, session: 60, waiting: 122 };
  }
  return isCompact
    ? { heading: 28, session: 32, waiting: 84 }
    : { heading: 32, session: 52, waiting: 90 };
}

export function listRows(
  places: readonly Placed[],
  sessions: ReadonlyMap<string, SessionInfo>,
  waiting: ReadonlyMap<string, readonly RequestInfo[]>,
  heights: RowHeights,
): readonly ListRow[] {
  const counts = new Map<GroupId, number>();
  for (const { group } of places) {
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const rows: ListRow[] = [];
  let top = 0;
  let position = 0;
  let current: GroupId | null = null;
  for (const { id, group } of places) {
    const session = sessions.get(id);
    if (!session) {
      continue;
    }
    if (group !== current) {
      current = group;
      const count = counts.get(group) ?? 0;
      const height = heights.heading;
      rows.push({
        kind: 'heading',
        key: group,
        label: GROUP_LABELS[group],
        group,
        count,
        height,
        top,
      });
      top += height;
    }
    const requests = waiting.get(id) ?? [];
    const height = requests.length > 0 ? heights.waiting : heights.session;
    position += 1;
    rows.push({ kind: 'session', key: id, session, requests, position, height, top });
    top += height;
  }
  return rows;
}

export function totalHeight(rows: readonly ListRow[]): number {
  const last = rows.at(-1);
  return last ? last.top + last.height : 0;
}

/** The rows that a view shows, found by halving; with some around them, for the next turn of the wheel. */
export function visibleRange(
  rows: readonly ListRow[],
  scrollTop: number,
  viewHeight: number,
  around = 600,
): { from: number; to: number } {
  const firstBelow = (y: number) => {
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const row = rows[middle];
      if (row && row.top + row.height <= y) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  return {
    from: firstBelow(scrollTop - around),
    to: Math.min(rows.length, firstBelow(scrollTop + viewHeight + around) + 1),
  };
}
