/** Where a session opens: at what a link points to, else where it was left, else at its end. */

import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { SessionSnapshot } from 'sandbox-agent-client';
import {
  type ConversationRow,
  PlaceMemory,
  rowKeyOfSeq,
  rowKeyOfTurn,
  type ScrollKeeper,
  useSessionStore,
  type VirtualRowsHandle,
} from 'sandbox-agent-react';
import { type SessionPlace, useRoute } from '../shell/navigation.ts';
import { notify } from '../shell/notify.tsx';

const MARK_MS = 2000;
const SAVE_MS = 250;

function storage(): Storage | null {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

const memory = new PlaceMemory(storage(), 'sandbox-agent:places');

interface PlaceOptions {
  rows: readonly ConversationRow[];
  snapshot: SessionSnapshot;
  list: RefObject<VirtualRowsHandle | null>;
  keeper: ScrollKeeper;
}

type Wanted = Extract<SessionPlace, { kind: 'turn' | 'event' }> & { isLoaded: boolean };

/** Key of the row that a link points to, for as long as it is marked. */
export function usePlace({ rows, snapshot, list, keeper }: PlaceOptions): string | null {
  const { id, complete } = snapshot;
  const store = useSessionStore(id);
  const route = useRoute();
  const at = route.room === 'session' && route.id === id ? route.at : null;
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const [markedKey, setMarkedKey] = useState<string | null>(null);
  const isPlaced = useRef(false);
  /** Where one was before a link led away, for Back. `undefined`: no link did. */
  const before = useRef<ReturnType<ScrollKeeper['place']> | undefined>(undefined);
  const isLinked = at?.kind === 'event' || at?.kind === 'turn';
  const isHere = at?.kind === 'end';

  useEffect(() => {
    if (isLinked && isPlaced.current && before.current === undefined) {
      before.current = keeper.place();
    } else if (isHere && before.current !== undefined) {
      const place = before.current;
      before.current = undefined;
      if (place === null) list.current?.toEnd();
      else list.current?.toRow(place.key, 'start', place.offset);
    }
  }, [isLinked, isHere, keeper, list]);

  const turnId = at?.kind === 'turn' ? at.turnId : null;
  const seq = at?.kind === 'event' ? at.seq : null;
  useEffect(() => {
    let isGone = false;
    if (seq !== null) {
      setWanted({ kind: 'event', seq, isLoaded: false });
      store
        .loadUntil(seq)
        .catch(() => {})
        .finally(() => {
          if (!isGone) setWanted({ kind: 'event', seq, isLoaded: true });
        });
    } else if (turnId !== null) setWanted({ kind: 'turn', turnId, isLoaded: true });
    else setWanted(null);
    return () => {
      isGone = true;
    };
  }, [seq, turnId, store]);

  useLayoutEffect(() => {
    if (rows.length === 0 || isPlaced.current) return;
    if (seq !== null || turnId !== null) {
      isPlaced.current = true;
      return;
    }
    const place = memory.get(id);
    if (place === null) {
      isPlaced.current = true;
      return;
    }
    const isFound = list.current?.toRow(place.key, 'start', place.offset) ?? false;
    if (isFound || complete) isPlaced.current = true;
    else if (keeper.getSnapshot().mode === 'following') void store.loadEarlier().catch(() => {});
  }, [rows, complete, id, seq, turnId, list, keeper, store]);

  useEffect(() => {
    if (wanted === null || rows.length === 0) return;
    const key =
      wanted.kind === 'turn'
        ? rowKeyOfTurn(rows, wanted.turnId)
        : wanted.isLoaded
          ? rowKeyOfSeq(rows, wanted.seq)
          : null;
    if (key === null) {
      if (!complete) {
        if (wanted.kind === 'turn') void store.loadEarlier().catch(() => {});
        return;
      }
      if (wanted.kind === 'turn') {
        notify({
          title: 'That turn is not in this session',
          detail: 'The link may be of another server. This is the end of the conversation.',
          key: 'place',
        });
        setWanted(null);
      }
      return;
    }
    list.current?.toRow(key, 'center');
    list.current?.focusRow(key);
    setMarkedKey(key);
    setWanted(null);
  }, [wanted, rows, complete, list, store]);

  useEffect(() => {
    if (markedKey === null) return;
    const timer = setTimeout(() => setMarkedKey(null), MARK_MS);
    return () => clearTimeout(timer);
  }, [markedKey]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const save = () => {
      clearTimeout(timer);
      timer = undefined;
      if (isPlaced.current) memory.set(id, keeper.place());
    };
    const later = () => {
      timer ??= setTimeout(save, SAVE_MS);
    };
    const element = document.querySelector('[data-part="conversation"]');
    element?.addEventListener('scroll', later, { passive: true });
    window.addEventListener('pagehide', save);
    const unsubscribe = keeper.subscribe(later);
    return () => {
      clearTimeout(timer);
      element?.removeEventListener('scroll', later);
      window.removeEventListener('pagehide', save);
      unsubscribe();
    };
  }, [id, keeper]);

  return markedKey;
}
