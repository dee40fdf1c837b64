/** Which sessions have come to an end of their work since one looked. Kept in this browser, per server. */

import { useEffect, useMemo, useRef, useState } from 'react';
import type { SessionInfo } from 'sandbox-agent-client';
import { isRunning } from './grouping.ts';

const MOST_KEPT = 500;

/**
 * Unread is what stopped running while somebody looked elsewhere. Going to sleep, a new title or a change of its model
 * are no news, although they are in its log.
 */
export function nextUnread(
  unread: ReadonlySet<string>,
  before: ReadonlyMap<string, SessionInfo['status']>,
  sessions: readonly SessionInfo[],
  openId: string | null,
): ReadonlySet<string> {
  const next = new Set(unread);
  for (const session of sessions) {
    const earlier = before.get(session.id);
    const ran = earlier === 'running' || earlier === 'background' || earlier === 'waiting';
    if (ran && !isRunning(session) && session.status !== 'waiting') {
      next.add(session.id);
    } else if (isRunning(session)) {
      next.delete(session.id);
    }
  }
  if (openId !== null) {
    next.delete(openId);
  }
  const same = next.size === unread.size && [...next].every((each) => unread.has(each));
  return same ? unread : new Set([...next].slice(-MOST_KEPT));
}

function read(key: string): ReadonlySet<string> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(key) ?? '[]');
    return new Set(Array.isArray(kept) ? kept.filter((each) => typeof each === 'string') : []);
  } catch {
    return new Set();
  }
}

export function useUnread(
  server: string,
  sessions: readonly SessionInfo[],
  openId: string | null,
): ReadonlySet<string> {
  const key = `sandbox-agent:unread:${server}`;
  const [unread, setUnread] = useState(() => read(key));
  const before = useRef<ReadonlyMap<string, SessionInfo['status']>>(new Map());
  const statuses = useMemo(
    () => new Map(sessions.map((each) => [each.id, each.status] as const)),
    [sessions],
  );
  useEffect(() => {
    // A page that nobody looks at shows nothing, whatever is open in it.
    const looking = document.hidden ? null : openId;
    setUnread((old) => nextUnread(old, before.current, sessions, looking));
    before.current = statuses;
  }, [sessions, statuses, openId]);
  useEffect(() => {
    const onLook = () => {
      if (!document.hidden) {
        setUnread((old) => nextUnread(old, before.current, [], openId));
      }
    };
    document.addEventListener('visibilitychange', onLook);
    return () => document.removeEventListener('visibilitychange', onLook);
  }, [openId]);
  useEffect(() => {
    try {
      localStorage.setItem(key, JSON.stringify([...unread]));
    } catch {
      // Known until the page is closed.
    }
  }, [key, unread]);
  return unread;
}
