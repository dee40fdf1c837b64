/** Tells who does not look what has come of a turn. Never a word for each piece of a stream. */

import { useEffect, useRef } from 'react';
import type { SessionSnapshot } from 'sandbox-agent-client';
import { foreign } from 'sandbox-agent-react';
import { announce } from '../shell/announce.tsx';

type Transcript = SessionSnapshot['transcript'];

export function useAnnouncements(transcript: Transcript, agent: string): void {
  const told = useRef<{ turnId: string | null; failed: Set<string>; isOver: boolean } | null>(null);
  useEffect(() => {
    const turn = transcript.turns.findLast((one) => one.id);
    if (!turn) return;
    const isOver = Boolean(turn.stopReason || turn.endedAt);
    const failed = turn.items.filter((item) => item.type === 'tool' && item.status === 'failed');
    const last = told.current;
    if (last === null) {
      // What was there when the session was opened is no news.
      const known = new Set(failed.map((item) => (item.type === 'tool' ? item.toolCallId : '')));
      told.current = { turnId: turn.id ?? null, failed: known, isOver };
      return;
    }
    if (last.turnId !== turn.id) {
      last.turnId = turn.id ?? null;
      last.failed = new Set();
      last.isOver = false;
    }
    for (const item of failed) {
      if (item.type !== 'tool' || last.failed.has(item.toolCallId)) continue;
      last.failed.add(item.toolCallId);
      const title = foreign(item.title || item.name || 'A tool call').slice(0, 80);
      const code = item.exitCode == null ? '' : `, exit ${item.exitCode}`;
      announce(`${title} failed${code}`);
    }
    if (isOver && !last.isOver) {
      last.isOver = true;
      if (turn.error)
        announce(`${agent} could not go on: ${foreign(turn.error.message).slice(0, 120)}`);
      else if (turn.stopReason === 'cancelled') announce(`${agent} was stopped`);
      else announce(`${agent} replied`);
    }
  }, [transcript, agent]);
}
