import { useCallback, useEffect, useRef, useState } from 'react';
import type { ProcessInfo } from 'sandbox-agent-client';
import { usePageVisible } from '../pageVisible.ts';
import { useClient } from '../server/hooks.ts';

export interface UsedProcesses {
  /** Newest first; null until they are known. */
  processes: readonly ProcessInfo[] | null;
  problem: string | null;
  refresh(): Promise<void>;
}

const EVERY_MS = 2500;

/** The processes of the server, asked for again while the page is seen. */
export function useProcesses(): UsedProcesses {
  const client = useClient();
  const isVisible = usePageVisible();
  const [shown, setShown] = useState<Omit<UsedProcesses, 'refresh'>>({
    processes: null,
    problem: null,
  });
  const last = useRef('');

  const refresh = useCallback(async () => {
    try {
      const { processes } = await client.processes.list();
      const text = JSON.stringify(processes);
      if (text === last.current) return;
      last.current = text;
      setShown({ processes: processes.toSorted(byStart), problem: null });
    } catch (error) {
      last.current = '';
      const problem = error instanceof Error ? error.message : String(error);
      setShown((before) => ({ ...before, problem }));
    }
  }, [client]);

  useEffect(() => {
    if (!isVisible) return;
    let timer: ReturnType<typeof setTimeout>;
    let isGone = false;
    const go = async () => {
      await refresh();
      if (!isGone) timer = setTimeout(go, EVERY_MS);
    };
    void go();
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [refresh, isVisible]);

  return { ...shown, refresh };
}

function byStart(one: ProcessInfo, other: ProcessInfo): number {
  return other.createdAtMs - one.createdAtMs;
}
