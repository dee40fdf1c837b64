/** The history of a session, read from its end backwards. */

import type { Event } from '../api/schema.ts';
import type { SandboxAgent } from '../client.ts';
import type { PageOf } from '../resources/sessions.ts';

const PAGE = 1000;

export interface HistoryPart {
  /** In order. */
  readonly events: Event[];
  /** Everything from this `seq` on is in it; null: it begins with the beginning. */
  readonly from: number | null;
}

/** At least `wanted` events that are no deltas, of those before `before`; fewer only at the beginning. */
export async function historyBefore(
  client: SandboxAgent,
  id: string,
  before: number,
  wanted: number,
  signal: AbortSignal,
): Promise<HistoryPart> {
  const pages: Event[][] = [];
  let from: number | null = before;
  for (let missing = wanted; missing > 0 && from !== null; ) {
    const limit = Math.min(missing, PAGE);
    const query = { before: from, deltas: false, limit, signal };
    const page: PageOf<Event> = await client.sessions.events(id, query);
    pages.unshift(page.events);
    missing -= page.events.length;
    from = page.previousCursor ?? null;
  }
  return { events: pages.flat(), from };
}

/** Everything behind `after`, with what is being said. */
export async function eventsAfter(
  client: SandboxAgent,
  id: string,
  after: number,
  signal: AbortSignal,
): Promise<Event[]> {
  const events: Event[] = [];
  for (let cursor = after; ; ) {
    const page = await client.sessions.events(id, { after: cursor, limit: PAGE, signal });
    events.push(...page.events);
    if (!page.hasMore || page.nextCursor <= cursor) return events;
    cursor = page.nextCursor;
  }
}

/** Behind which event whatever is still being said has begun: that of the last text that was completed. */
export function openFrom(events: readonly Event[]): number {
  for (let index = events.length - 1; index >= 0; index -= 1) {
    const event = events[index];
    if (event && ENDS_OF_TEXT.has(event.type)) return event.seq;
  }
  return (events[0]?.seq ?? 1) - 1;
}

const ENDS_OF_TEXT: ReadonlySet<Event['type']> = new Set([
  'turn.started',
  'turn.ended',
  'message.completed',
  'reasoning.completed',
]);
