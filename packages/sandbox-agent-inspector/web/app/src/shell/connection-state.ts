/** What is said of the connection, and when. Pure: the time comes in. */
import type { Connection } from 'sandbox-agent-client';

export type ConnectionNews =
  | { kind: 'nothing' }
  | { kind: 'reconnecting'; seconds: number; reason: string | null; offersRetry: boolean }
  | { kind: 'caught-up'; events: number };

const SILENT_MS = 1000;
const RETRY_AFTER_MS = 30_000;
/** Who has not been connected yet has nothing to look at meanwhile. */
const FIRST_RETRY_AFTER_MS = 3000;
const CAUGHT_UP_MS = 2000;

/** `wasTold`: the page has said that the connection was lost, so it also says that it is back. */
export function connectionNews(
  connection: Connection,
  now: number,
  wasTold: boolean,
): ConnectionNews {
  const age = now - connection.since;
  const isFirst = connection.state === 'connecting' && connection.attempt > 0;
  if (isFirst || connection.state === 'reconnecting' || connection.state === 'offline') {
    if (age < SILENT_MS) {
      return { kind: 'nothing' };
    }
    const offersRetry = age >= (isFirst ? FIRST_RETRY_AFTER_MS : RETRY_AFTER_MS);
    return {
      kind: 'reconnecting',
      seconds: Math.floor(age / 1000),
      reason: offersRetry ? (connection.reason ?? null) : null,
      offersRetry,
    };
  }
  if (connection.state === 'live' && wasTold && age < CAUGHT_UP_MS) {
    return { kind: 'caught-up', events: connection.caughtUp ?? 0 };
  }
  return { kind: 'nothing' };
}
