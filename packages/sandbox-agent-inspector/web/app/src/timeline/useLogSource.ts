import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { SessionStore } from 'sandbox-agent-client';
import {
  type EventLike,
  frameEvent,
  type LogSource,
  PagedSource,
  useClient,
  useSessionSelector,
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
  /** Only of a part that is not the end. */
  loadLater?: () => void;
  /** Goes on with what the page has at the end, from such a part. */
  toEnd?: () => void;
  loadUntil(seq: number): Promise<void>;
  retry(): void;
}

const POLL_MS = 2000;
/** What happens is asked for so often at most. */
const NEWER_MS = 200;

/** What is shown: the events that the page has anyway, or pages of what it has not (frames, all deltas). */
export function useLogSource(
  sessionId: string,
  view: LogView,
  deltas: boolean,
  linked: number | null,
): Log {
  const store = useSessionStore(sessionId);
  const complete = useSessionSelector(sessionId, (snapshot) => snapshot.complete);
  const state = useSessionSelector(sessionId, (snapshot) => snapshot.state);
  const isRunning = useSessionSelector(sessionId, ({ info }) => info?.status === 'running');
  const isPaged = view === 'frames' || deltas;
  const paged = usePaged(sessionId, store, isPaged ? view : null);
  const part = useLinkedPart(sessionId, store, isPaged ? null : linked);
  const loadEarlier = useCallback(() => {
    // What could not be read is read when somebody goes there again; the bar tells of a lost connection.
    store.loadEarlier().catch(() => {});
  }, [store]);
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
  const refresh = paged?.retry;
  useEffect(() => {
    // Not every frame is an event, so nothing on this page's stream tells of them.
    if (!refresh || !isRunning) return;
    const timer = setInterval(refresh, POLL_MS);
    return () => clearInterval(timer);
  }, [refresh, isRunning]);
  return paged ?? part ?? streamed;
}

/**
 * Around an event that a link points at far back, read with one request while the page goes on to load all before its end.
 * Once that has reached the part, the part is not needed any more: its rows have the same keys there.
 */
function useLinkedPart(sessionId: string, store: SessionStore, linked: number | null): Log | null {
  const client = useClient();
  const [left, setLeft] = useState<number | null>(null);
  const [, setVersion] = useState(0);
  const current = useRef<PagedSource<EventLike> | null>(null);
  const begin = current.current?.begin ?? PagedSource.pageAround(linked ?? 0);
  const isCovered = (store.events.at(0)?.seq ?? Number.POSITIVE_INFINITY) <= begin + 1;
  const isWanted = linked !== null && linked !== left && !isCovered;
  const source = useMemo(() => {
    if (!isWanted || linked === null) return null;
    const read = (query: { after: number; limit: number }) =>
      client.sessions.events(sessionId, { ...query, deltas: false });
    return new PagedSource<EventLike>(read, PagedSource.pageAround(linked));
  }, [client, sessionId, linked, isWanted]);
  useEffect(() => {
    current.current = source;
    if (!source) return;
    const unsubscribe = source.subscribe(() => setVersion((version) => version + 1));
    void source.loadNewer(1);
    return unsubscribe;
  }, [source]);
  const loadEarlier = useCallback(() => void source?.loadEarlier(), [source]);
  const loadLater = useCallback(() => void source?.loadNewer(1), [source]);
  const loadUntil = useCallback(async () => {}, []);
  if (!source) return null;
  return {
    source,
    complete: source.complete,
    isRead: source.isRead,
    problem: source.problem,
    loadEarlier,
    loadLater,
    toEnd: () => setLeft(linked),
    loadUntil,
    retry: loadLater,
  };
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
    }, PagedSource.lastPage(last));
  }, [client, sessionId, store, view]);
  useEffect(() => {
    if (!source) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const unsubscribe = [
      source.subscribe(() => setVersion((version) => version + 1)),
      store.subscribe(() => {
        timer ??= setTimeout(() => {
          timer = undefined;
          void source.loadNewer();
        }, NEWER_MS);
      }),
    ];
    void source.loadNewer().then(() => setVersion((version) => version + 1));
    return () => {
      clearTimeout(timer);
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
