/** The history of a session, read from its end backwards. */

import type { Event } from '../api/schema.ts';
import type { SandboxAgent } from '../client.ts';

const PAGE = 1000;
const FIRST_SPAN = 2000;

export interface HistoryPart {
  /** In order. */
  readonly events: Event[];
  /** Everything behind this `seq` is in it; 0: all there is. */
  readonly after: number;
}

/** At least `wanted` events that are no deltas, of those before `before`; fewer only at the beginning. */
export async function historyBefore(
  client: SandboxAgent,
  id: string,
  before: number,
  wanted: number,
  signal: AbortSignal,
): Promise<HistoryPart> {
  let events: Event[] = [];
  let until = before;
  for (let span = FIRST_SPAN; until > 1 && events.length < wanted; span *= 4) {
    const after = Math.max(0, until - 1 - span);
    const found = await eventsBetween(client, id, after, until, signal);
    events = [...found, ...events];
    until = after + 1;
  }
  return { events, after: until - 1 };
}

/** Events that are no deltas, behind `after` and before `until`. */
async function eventsBetween(
  client: SandboxAgent,
  id: string,
  after: number,
  until: number,
  signal: AbortSignal,
): Promise<Event[]> {
  const events: Event[] = [];
  for (let cursor = after; cursor < until - 1; ) {
    const page = await client.sessions.events(id, {
      after: cursor,
      deltas: false,
      limit: PAGE,
      signal,
    });
    for (const event of page.events) if (event.seq < until) events.push(event);
    if (!page.hasMore || page.nextCursor <= cursor) break;
    cursor = page.nextCursor;
  }
  return events;
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
export function openFrom(events: readonly Event[], otherwise: number): number {
  for (let index = events.length - 1; index >= 0; index -= 1) {
    const event = events[index];
    if (event && ENDS_OF_TEXT.has(event.type)) return event.seq;
  }
  return otherwise;
}

const ENDS_OF_TEXT: ReadonlySet<Event['type']> = new Set([
  'turn.started',
  'turn.ended',
  'message.completed',
  'reasoning.completed',
]);
