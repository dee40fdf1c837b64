import { useCallback, useEffect, useMemo, useState } from 'react';
import type { Command, SandboxAgent } from 'sandbox-agent-client';
import {
  type Completion,
  fileCompletions,
  matchingCommands,
  type Trigger,
  triggerAt,
} from './completion.ts';

const MAX_ITEMS = 50;
const PAUSE_MS = 80;

export interface CompletionHandle {
  trigger: Trigger;
  items: readonly Completion[];
  /** Of what Enter and Tab take. */
  index: number;
  isLoading: boolean;
  move(by: number): void;
  close(): void;
}

/** What the word at the caret can become; null: nothing is being completed. */
export function useCompletion(
  client: SandboxAgent,
  at: { text: string; caret: number; cwd: string; commands: readonly Command[] },
): CompletionHandle | null {
  const { text, caret, cwd, commands } = at;
  const found = useMemo(() => triggerAt(text, caret), [text, caret]);
  const id = found ? `${found.kind}:${found.start}` : '';
  const [closed, setClosed] = useState('');
  const [chosen, setChosen] = useState({ id: '', query: '', index: 0 });
  const trigger = found && closed !== id ? found : null;
  if (!found && closed) setClosed('');

  const fileQuery = trigger?.kind === 'file' ? trigger.query : null;
  const files = useFiles(client, cwd, fileQuery);
  const query = trigger?.query ?? '';
  const items = useMemo(
    () => (trigger?.kind === 'command' ? matchingCommands(commands, query) : files.items),
    [trigger?.kind, commands, query, files.items],
  );
  const isSame = chosen.id === id && chosen.query === query;
  const index = Math.min(isSame ? chosen.index : 0, Math.max(0, items.length - 1));

  const move = useCallback(
    (by: number) => {
      const count = items.length || 1;
      setChosen({ id, query, index: (index + by + count) % count });
    },
    [items.length, id, query, index],
  );
  const close = useCallback(() => setClosed(id), [id]);
  return useMemo(
    () =>
      trigger
        ? {
            trigger,
            items: items.slice(0, MAX_ITEMS),
            index,
            isLoading: trigger.kind === 'file' && files.isLoading,
            move,
            close,
          }
        : null,
    [trigger, items, index, files.isLoading, move, close],
  );
}

/** Files of the working directory; what was found before stays until there is something else. */
function useFiles(
  client: SandboxAgent,
  cwd: string,
  query: string | null,
): { items: readonly Completion[]; isLoading: boolean } {
  const [found, setFound] = useState<{ items: readonly Completion[]; query: string | null }>({
    items: [],
    query: null,
  });
  useEffect(() => {
    if (query === null || !cwd) return;
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      const items = await lookUp(client, cwd, query, abort.signal).catch(() => []);
      if (!abort.signal.aborted) setFound({ items, query });
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [client, cwd, query]);
  return { items: query === null ? [] : found.items, isLoading: found.query !== query };
}

async function lookUp(
  client: SandboxAgent,
  cwd: string,
  query: string,
  signal: AbortSignal,
): Promise<Completion[]> {
  const directory = /^(?:.*\/)?$/.exec(query)?.[0];
  if (directory !== undefined && !directory.startsWith('/') && !directory.includes('..')) {
    const path = directory ? `${cwd.replace(/\/+$/, '')}/${directory}` : cwd;
    const entries = await client.files.list(path, { signal });
    return fileCompletions(entries.slice(0, 200), cwd, '');
  }
  const { entries } = await client.files.find(cwd, { query, limit: 200, signal });
  return fileCompletions(entries, cwd, query);
}
