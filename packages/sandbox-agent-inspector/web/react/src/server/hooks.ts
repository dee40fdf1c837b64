/** What a server shows, as React reads it: one render a frame, and none for what a component does not read. */

import { useCallback, useRef, useSyncExternalStore } from 'react';
import type {
  Connection,
  RequestInfo,
  SandboxAgent,
  ServerSnapshot,
  SessionInfo,
  SessionSnapshot,
  SessionStore,
} from 'sandbox-agent-client';
import { useServerStore } from './ServerProvider.tsx';

export function useClient(): SandboxAgent {
  return useServerStore().client;
}

export function useServer(): ServerSnapshot {
  return useServerSelector(whole);
}

/** A part of what the server shows; the component renders when that is another by `Object.is`. */
export function useServerSelector<T>(select: (snapshot: ServerSnapshot) => T): T {
  const store = useServerStore();
  const subscribe = useCallback((listener: () => void) => store.subscribe(listener), [store]);
  const read = useCallback(() => select(store.getSnapshot()), [store, select]);
  return useSyncExternalStore(subscribe, read, read);
}

export function useSessions(): readonly SessionInfo[] {
  return useServerSelector(sessionsOf);
}

/** What waits for a person in all sessions, oldest first. */
export function useInbox(): readonly RequestInfo[] {
  return useServerSelector(requestsOf);
}

export function useConnection(): Connection {
  return useServerSelector(connectionOf);
}

/** The store of a session: to send, and to load what was before. */
export function useSessionStore(id: string): SessionStore {
  return useServerStore().session(id);
}

export function useSession(id: string): SessionSnapshot {
  return useSessionSelector(id, whole);
}

/**
 * A part of a session; the component renders when that is another by `Object.is`. `select` need not be the same
 * function each time.
 */
export function useSessionSelector<T>(id: string, select: (snapshot: SessionSnapshot) => T): T {
  const server = useServerStore();
  const last = useRef<{ snapshot: SessionSnapshot; select: typeof select; value: T } | null>(null);
  const subscribe = useCallback(
    (listener: () => void) => server.session(id).subscribe(listener),
    [server, id],
  );
  const read = () => {
    const snapshot = server.session(id).getSnapshot();
    const known = last.current;
    if (known && known.snapshot === snapshot && known.select === select) return known.value;
    const value = select(snapshot);
    last.current = { snapshot, select, value };
    return value;
  };
  return useSyncExternalStore(subscribe, read, read);
}

/** What the server says of a session: another object when anything but the time of its last event is another. */
export function useSessionInfo(id: string): SessionInfo | null {
  const last = useRef<SessionInfo | null>(null);
  return useSessionSelector(id, ({ info }) => {
    if (!info || !last.current || !isSameButTime(last.current, info)) last.current = info;
    return last.current;
  });
}

function isSameButTime(one: SessionInfo, other: SessionInfo): boolean {
  const { lastSeq: _seq, updatedAt: _time, ...told } = other;
  const names = Object.keys(told) as (keyof typeof told)[];
  return (
    Object.keys(one).length === Object.keys(other).length &&
    names.every((name) => one[name] === told[name])
  );
}

function whole<T>(snapshot: T): T {
  return snapshot;
}

function sessionsOf({ sessions }: ServerSnapshot): readonly SessionInfo[] {
  return sessions;
}

function requestsOf({ requests }: ServerSnapshot): readonly RequestInfo[] {
  return requests;
}

function connectionOf({ connection }: ServerSnapshot): Connection {
  return connection;
}
