import { useCallback, useState } from 'react';
import type { Turn } from 'sandbox-agent-client';
import { type ToolState, useClient } from 'sandbox-agent-react';
import { notify } from '../../shell/notify.tsx';

export interface Stop {
  readonly isStopping: boolean;
  readonly stop: () => void;
}

/** Stops a background task, or the turn that a call is of; null where neither runs. */
export function useStop(
  sessionId: string,
  turn: Turn | null,
  state: ToolState,
  taskId: string | null,
): Stop | null {
  const client = useClient();
  const [isStopping, setStopping] = useState(false);
  const turnId = turn?.id ?? null;
  const stop = useCallback(() => {
    setStopping(true);
    const what = taskId === null ? { turnId } : { taskId };
    client.sessions.cancel(sessionId, what).catch((error: unknown) => {
      setStopping(false);
      const detail = error instanceof Error ? error.message : undefined;
      notify({ title: 'It could not be stopped', detail, tone: 'error', key: 'stop' });
    });
  }, [client, sessionId, turnId, taskId]);
  if (taskId !== null) return { isStopping, stop };
  const isInTurn = state === 'running' && turnId !== null && !turn?.endedAt;
  return isInTurn ? { isStopping, stop } : null;
}
