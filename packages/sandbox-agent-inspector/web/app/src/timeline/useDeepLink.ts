import { useEffect, useRef, useState } from 'react';
import { rowOfSeq, type TimelineRow } from 'sandbox-agent-react';
import type { Log } from './useLogSource.ts';

interface DeepLink {
  /** The event that the address names. */
  seq: number | null;
  log: Log;
  rows: readonly TimelineRow[];
  /** The list is there, and can be scrolled. */
  isReady: boolean;
  reveal: (index: number, seq: number) => void;
}

/** Goes to the event of a link, once it is there. Answers with its `seq` if there is no such event. */
export function useDeepLink({ seq, log, rows, isReady, reveal }: DeepLink): number | null {
  const [wanted, setWanted] = useState<number | null>(null);
  const [isLoaded, setLoaded] = useState(false);
  const [gone, setGone] = useState<number | null>(null);
  const { loadUntil, isRead } = log;
  const done = useRef<number | null>(null);

  useEffect(() => {
    // The same link is not followed again when another source of the same events takes over.
    if (seq !== null && seq === done.current) return;
    setWanted(seq);
    setGone(null);
    setLoaded(false);
    if (seq === null || !isRead) return;
    let isOver = false;
    // Two frames later the rows of what came are there, too.
    const loaded = () =>
      requestAnimationFrame(() => requestAnimationFrame(() => isOver || setLoaded(true)));
    loadUntil(seq).then(loaded, loaded);
    return () => {
      isOver = true;
    };
  }, [seq, loadUntil, isRead]);

  const latest = useRef(reveal);
  useEffect(() => {
    latest.current = reveal;
  });
  useEffect(() => {
    if (wanted === null || rows.length === 0 || !isReady) return;
    const index = rowOfSeq(rows, wanted);
    const isThere = rows[index]?.seqs.includes(wanted) ?? false;
    if (!isThere && !isLoaded) return;
    // A piece of a message is not in the log of a page any more, but its message is the next row.
    const next = rows[index + 1];
    const isPiece = !isThere && (next?.family === 'message' || next?.family === 'reasoning');
    if (!isThere && !isPiece) {
      // Until it comes after all: a page of megabytes takes its time.
      setGone(wanted);
      return;
    }
    done.current = wanted;
    setWanted(null);
    setGone(null);
    latest.current(isPiece ? index + 1 : index, wanted);
  }, [wanted, rows, isReady, isLoaded]);
  return gone;
}
