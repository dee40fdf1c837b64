/** Which sessions stand where in the list. Pure: times come in. */
import type { RequestInfo, SessionInfo } from 'sandbox-agent-client';

export type GroupId = 'waiting' | 'running' | 'today' | 'yesterday' | 'week' | 'earlier';

export interface SessionGroup {
  id: GroupId;
  label: string;
  sessions: readonly SessionInfo[];
}

export const GROUP_LABELS: Record<GroupId, string> = {
  waiting: 'Waiting for you',
  running: 'Running',
  today: 'Today',
  yesterday: 'Yesterday',
  week: 'Last 7 days',
  earlier: 'Earlier',
};

const ORDER: readonly GroupId[] = ['waiting', 'running', 'today', 'yesterday', 'week', 'earlier'];
const DAY_MS = 86_400_000;

function startOfDay(time: number): number {
  const day = new Date(time);
  day.setHours(0, 0, 0, 0);
  return day.getTime();
}

export function isRunning(session: SessionInfo): boolean {
  return ['starting', 'running', 'background'].includes(session.status);
}

/** Requests of a session that a person can answer, the one that expires first at the front. */
export function requestsBySession(
  requests: readonly RequestInfo[],
): ReadonlyMap<string, readonly RequestInfo[]> {
  const found = new Map<string, RequestInfo[]>();
  for (const request of requests) {
    if (request.sessionId && !request.resolution) {
      const all = found.get(request.sessionId) ?? [];
      all.push(request);
      found.set(request.sessionId, all);
    }
  }
  for (const all of found.values()) {
    all.sort((a, b) => inOrder(a.expiresAt, b.expiresAt));
  }
  return found;
}

/** Times of the server, which are all written in one way. `localeCompare` takes a tenth of a second for thousands. */
function inOrder(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

function groupOf(session: SessionInfo, waits: boolean, today: number): GroupId {
  if (waits || session.status === 'waiting') {
    return 'waiting';
  }
  if (isRunning(session)) {
    return 'running';
  }
  const updated = Date.parse(session.updatedAt);
  if (updated >= today) {
    return 'today';
  }
  if (updated >= today - DAY_MS) {
    return 'yesterday';
  }
  return updated >= today - 6 * DAY_MS ? 'week' : 'earlier';
}

/**
 * What waits for a person comes first, by its deadline; then what runs, the latest begun first, so that it does not
 * jump with each event; then all else by when something last happened.
 */
export function groupSessions(
  sessions: readonly SessionInfo[],
  waiting: ReadonlyMap<string, readonly RequestInfo[]>,
  now: number,
): readonly SessionGroup[] {
  const today = startOfDay(now);
  const groups = new Map<GroupId, SessionInfo[]>();
  for (const session of sessions) {
    const id = groupOf(session, waiting.has(session.id), today);
    const all = groups.get(id) ?? [];
    all.push(session);
    groups.set(id, all);
  }
  const deadline = (session: SessionInfo) => waiting.get(session.id)?.[0]?.expiresAt ?? '~';
  groups.get('waiting')?.sort((a, b) => inOrder(deadline(a), deadline(b)));
  groups.get('running')?.sort((a, b) => inOrder(b.createdAt, a.createdAt));
  for (const id of ['today', 'yesterday', 'week', 'earlier'] as const) {
    groups.get(id)?.sort((a, b) => inOrder(b.updatedAt, a.updatedAt));
  }
  return ORDER.flatMap((id) => {
    const found = groups.get(id);
    return found ? [{ id, label: GROUP_LABELS[id], sessions: found }] : [];
  });
}
