import { useCallback, useEffect, useMemo, useState } from 'react';
import type { SessionStore } from 'sandbox-agent-client';
import {
  type EventLike,
  frameEvent,
  type LogSource,
  PagedSource,
  useClient,
  useSession,
  useSessionStore,
} from 'sandbox-agent-react';
import type { LogView } from './Toolbar.tsx';

export interface Log {
  readonly source: LogSource | null;
  /** Whether its beginning is there. */
  readonly complete: boolean;
  /** Whether the server was asked yet. */
  readonly isRead: boolean;
  readonly problem: Error | null;
  loadEarlier(): void;
  loadUntil(seq: number): Promise<void>;
  retry(): void;
}

const POLL_MS = 2000;

/** What is shown: the events that the page has anyway, or pages of what it has not (frames, all deltas). */
export function useLogSource(sessionId: string, view: LogView, deltas: boolean): Log {
  const store = useSessionStore(sessionId);
  const { complete, info, state } = useSession(sessionId);
  const isPaged = view === 'frames' || deltas;
  const paged = usePaged(sessionId, store, isPaged ? view : null);
  const loadEarlier = useCallback(() => void store.loadEarlier(), [store]);
  const loadUntil = useCallback((seq: number) => store.loadUntil(seq), [store]);
  const streamed = useMemo<Log>(
    () => ({
      source: store.events,
      complete,
      isRead: state === 'ready',
      problem: null,
      loadEarlier,
      loadUntil,
      retry: loadEarlier,
    }),
    [store, complete, state, loadEarlier, loadUntil],
  );
  const isRunning = info?.status === 'running';
  const refresh = paged?.retry;
  useEffect(() => {
    // Not every frame is an event, so nothing on this page's stream tells of them.
    if (!refresh || !isRunning) return;
    const timer = setInterval(refresh, POLL_MS);
    return () => clearInterval(timer);
  }, [refresh, isRunning]);
  return paged ?? streamed;
}

function usePaged(sessionId: string, store: SessionStore, view: LogView | null): Log | null {
  const client = useClient();
  const [, setVersion] = useState(0);
  const source = useMemo(() => {
    if (!view) return null;
    const last = store.events.at(store.events.length - 1)?.seq ?? 0;
    return new PagedSource<EventLike>(async ({ after, limit }) => {
      if (view === 'universal') return client.sessions.events(sessionId, { after, limit });
      const page = await client.sessions.events(sessionId, { after, limit, view });
      return { ...page, events: page.events.map(frameEvent) };
    }, last);
  }, [client, sessionId, store, view]);
  useEffect(() => {
    if (!source) return;
    const unsubscribe = [
      source.subscribe(() => setVersion((version) => version + 1)),
      store.events.subscribe(() => void source.loadNewer()),
    ];
    void source.loadNewer().then(() => setVersion((version) => version + 1));
    return () => {
      for (const end of unsubscribe) end();
    };
  }, [source, store]);
  const loadEarlier = useCallback(() => void source?.loadEarlier(), [source]);
  const loadUntil = useCallback(
    async (seq: number) => {
      await source?.loadEarlier(seq);
    },
    [source],
  );
  const retry = useCallback(() => void source?.loadNewer(), [source]);
  if (!source) return null;
  return {
    source,
    complete: source.complete,
    isRead: source.isRead,
    problem: source.problem,
    loadEarlier,
    loadUntil,
    retry,
  };
}
