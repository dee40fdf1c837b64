import { useEffect, useState } from 'react';
import type { SandboxAgent } from 'sandbox-agent-client';
import { useClient } from 'sandbox-agent-react';
import type { ExportRequest, FromWorker, MadeExport, ToWorker } from './protocol.ts';

export interface ExportState {
  /** Of the log, 0 … 1, while it is read. */
  readonly read: number;
  readonly made: MadeExport | null;
  readonly isBusy: boolean;
  readonly problem: string | null;
}

const PAGE = 1000;

/** Reads the log as the API writes it, and has the file made that is asked for, in a worker. */
export function useExport(sessionId: string, request: ExportRequest): ExportState {
  const client = useClient();
  const [worker, setWorker] = useState<Worker | null>(null);
  const [read, setRead] = useState(0);
  const [made, setMade] = useState<MadeExport | null>(null);
  const [isBusy, setBusy] = useState(true);
  const [problem, setProblem] = useState<string | null>(null);

  useEffect(() => {
    const abort = new AbortController();
    const started = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    const fail = (error: unknown) => {
      if (abort.signal.aborted) return;
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    };
    started.addEventListener('error', (event) => fail(event.message || 'The export failed.'));
    readPages(client, sessionId, abort.signal, (text, part) => {
      started.postMessage({ type: 'page', text } satisfies ToWorker);
      setRead(part);
    }).then(() => setWorker(started), fail);
    return () => {
      abort.abort();
      started.terminate();
      setWorker(null);
    };
  }, [client, sessionId]);

  useEffect(() => {
    if (!worker) return;
    const id = Date.now();
    setBusy(true);
    setProblem(null);
    const onMessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.id !== id) return;
      setBusy(false);
      if (data.type === 'made') setMade(data.made);
      else setProblem(data.message);
    };
    worker.addEventListener('message', onMessage);
    worker.postMessage({ type: 'make', id, request } satisfies ToWorker);
    return () => worker.removeEventListener('message', onMessage);
  }, [worker, request]);

  return { read, made, isBusy, problem };
}

/** All pages, each as the server wrote it; deltas would only say twice what their completions say. */
async function readPages(
  client: SandboxAgent,
  sessionId: string,
  signal: AbortSignal,
  onPage: (text: string, part: number) => void,
): Promise<void> {
  const { lastSeq } = await client.sessions.get(sessionId, { signal });
  const path = `/v1/sessions/${encodeURIComponent(sessionId)}/events`;
  for (let after = 0, hasMore = true; hasMore; ) {
    const query = { after, limit: PAGE, deltas: false };
    const response = await client.transport.send('GET', path, {
      query,
      signal,
      accept: 'application/json',
    });
    const text = await response.text();
    const end = pageEnd(text);
    hasMore = end.hasMore && end.nextCursor > after;
    after = end.nextCursor;
    onPage(text, hasMore && lastSeq > 0 ? Math.min(after / lastSeq, 1) : 1);
  }
}

/** The members behind the events, without reading the events: that is the worker's part. */
function pageEnd(text: string): { nextCursor: number; hasMore: boolean } {
  const end = text.slice(text.lastIndexOf(']'));
  const cursor = /"nextCursor"\s*:\s*(\d+)/.exec(end)?.[1];
  if (cursor === undefined)
    throw new Error('The server answered something that is no page of events.');
  return { nextCursor: Number(cursor), hasMore: /"hasMore"\s*:\s*true/.test(end) };
}
