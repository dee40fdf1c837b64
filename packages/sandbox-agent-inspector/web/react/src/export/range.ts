import type { EventLike } from '../timeline/event.ts';

/** Turns from one to another, both included, by their place in the session; null: the whole session. */
export interface TurnRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The events of a range: from the start of its first turn to the start of the one behind its last, so that what came
 * late, and the diff of the last turn, are in it. `session.created` always is: without it nobody knows which agent spoke.
 */
export function eventsInRange<E extends EventLike>(
  events: readonly E[],
  range: TurnRange | null,
): readonly E[] {
  if (!range) return events;
  const starts = events.filter((event) => event.type === 'turn.started').map((event) => event.seq);
  const from = starts[range.from] ?? Number.POSITIVE_INFINITY;
  const end = starts[range.to + 1] ?? Number.POSITIVE_INFINITY;
  const turns = new Set(
    events
      .filter((event) => event.type === 'turn.started' && event.seq >= from && event.seq < end)
      .map((event) => event.turnId),
  );
  return events.filter((event) => {
    if (event.type === 'session.created') return true;
    if (event.turnId) return turns.has(event.turnId);
    return event.seq >= from && event.seq < end;
  });
}
