/** An order that does not change under the pointer or the focus. Pure; the hook below keeps it. */
import { useRef, useState } from 'react';
import type { GroupId, SessionGroup } from './grouping.ts';

export interface Placed {
  id: string;
  group: GroupId;
}

export function placesOf(groups: readonly SessionGroup[]): readonly Placed[] {
  return groups.flatMap((group) =>
    group.sessions.map((session) => ({ id: session.id, group: group.id })),
  );
}

/** What is gone leaves, what is new waits, all else stays where it is. */
export function heldOrder(shown: readonly Placed[], wanted: readonly Placed[]): readonly Placed[] {
  const alive = new Set(wanted.map((each) => each.id));
  return shown.filter((each) => alive.has(each.id));
}

/** How many would stand elsewhere: those that are new or changed their group, and those that moved up in theirs. */
export function countMoved(shown: readonly Placed[], wanted: readonly Placed[]): number {
  const groups = new Map(shown.map((each) => [each.id, each.group]));
  const staying = wanted.filter((each) => groups.get(each.id) === each.group);
  const stayingIds = new Set(staying.map((each) => each.id));
  const ranks = new Map(
    shown.filter((each) => stayingIds.has(each.id)).map((each, index) => [each.id, index]),
  );
  const up = staying.filter((each, index) => index < (ranks.get(each.id) ?? 0)).length;
  return wanted.length - staying.length + up;
}

export interface SteadyOrder {
  places: readonly Placed[];
  moved: number;
  /** Take over the order as it is now. */
  release(): void;
}

export function useSteadyOrder(
  wanted: readonly Placed[],
  held: boolean,
  reset: string,
): SteadyOrder {
  const shown = useRef<{ places: readonly Placed[]; reset: string }>({ places: wanted, reset });
  const [, rerender] = useState(0);
  const hold = held && shown.current.reset === reset && shown.current.places.length > 0;
  const places = hold ? heldOrder(shown.current.places, wanted) : wanted;
  shown.current = { places, reset };
  return {
    places,
    moved: hold ? countMoved(places, wanted) : 0,
    release: () => {
      shown.current = { places: wanted, reset };
      rerender((count) => count + 1);
    },
  };
}
