/** How often whoever shows a server is told, while hundreds of events a second come. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SandboxAgent, ServerStore } from '../../src/index.ts';
import { Publisher } from '../../src/stores/publisher.ts';

const FRAME_MS = 16;
const SECOND_MS = 1000;
const TIME = '2026-11-23T12:00:00.000Z';
const SESSION = {
  id: 'ses_1',
  agent: 'mock',
  cwd: '/',
  status: 'running',
  createdAt: TIME,
  updatedAt: TIME,
  lastSeq: 1,
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function delta(seq: number) {
  const data = { messageId: 'm', text: `${seq} ` };
  return { seq, id: `ses_1:${seq}`, sessionId: 'ses_1', time: TIME, type: 'message.delta', data };
}

/** A server with one session, and what brings its events. */
function opened() {
  let feed: ReadableStreamDefaultController<Uint8Array> | undefined;
  const answers: Record<string, unknown> = {
    '/v1/sessions': { sessions: [SESSION] },
    '/v1/sessions/ses_1': SESSION,
    '/v1/sessions/ses_1/events': { events: [], nextCursor: 1, hasMore: false },
    '/v1/requests': { requests: [] },
    '/v1/health': { status: 'ok' },
  };
  const fetch = async (input: RequestInfo | URL, init?: RequestInit) => {
    const { pathname } = new URL(String(input));
    if (pathname !== '/v1/events') return Response.json(answers[pathname] ?? {});
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        feed = controller;
        init?.signal?.addEventListener('abort', () => controller.error(init.signal?.reason));
      },
    });
    return new Response(body);
  };
  const store = new ServerStore(new SandboxAgent({ url: 'http://server', fetch }));
  const bring = (event: unknown) =>
    feed?.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(event)}\n\n`));
  return { store, session: store.session('ses_1'), bring };
}

test('a text that is being written is told of in each frame, all around it a few times a second', async () => {
  const { store, session, bring } = opened();
  store.start();
  session.subscribe(() => {});
  await vi.advanceTimersByTimeAsync(SECOND_MS);
  expect(session.getSnapshot()).toMatchObject({ state: 'ready', info: { lastSeq: 1 } });
  const told = { server: vi.fn(), session: vi.fn(), timeline: vi.fn(), info: new Set<unknown>() };
  store.subscribe(told.server);
  session.subscribe(told.session);
  session.subscribe(() => told.info.add(session.getSnapshot().info));
  session.events.subscribe(told.timeline);
  for (let seq = 2; seq < 202; seq += 1) {
    bring(delta(seq));
    await vi.advanceTimersByTimeAsync(SECOND_MS / 200);
  }
  await vi.advanceTimersByTimeAsync(SECOND_MS);
  const [item] = session.getSnapshot().transcript.turns[0]?.items ?? [];
  expect(item).toMatchObject({ type: 'message', streaming: true });
  expect(item?.type === 'message' && item.text.endsWith('200 201 ')).toBe(true);
  expect(session.getSnapshot().info?.lastSeq).toBe(201);
  expect(store.getSnapshot().sessions[0]?.lastSeq).toBe(201);
  expect(store.getSnapshot().activity.get('ses_1')?.endsWith('200 201 ')).toBe(true);
  // A second of events, and the last line of them a moment later.
  expect(told.session.mock.calls.length).toBeGreaterThan(40);
  expect(told.info.size).toBeLessThanOrEqual(6);
  expect(told.server.mock.calls.length).toBeLessThanOrEqual(12);
  // Deltas are not in it.
  expect(told.timeline).not.toHaveBeenCalled();
  store.stop();
  session.close();
});

test('all stores are told in one frame, also when a listener of one fails', async () => {
  const failed = vi.fn();
  process.once('uncaughtException', failed);
  const one = new Publisher();
  const other = new Publisher();
  const told: string[] = [];
  one.subscribe(() => {
    told.push('one');
    throw new Error('not shown');
  });
  other.subscribe(() => {
    told.push('other');
    // In the next frame, not in this one again.
    if (told.length < 3) other.schedule();
  });
  one.schedule();
  other.schedule();
  vi.advanceTimersByTime(FRAME_MS);
  expect(told).toEqual(['one', 'other']);
  vi.advanceTimersByTime(FRAME_MS);
  expect(told).toEqual(['one', 'other', 'other']);
  await vi.waitFor(() => expect(failed).toHaveBeenCalledOnce());
});
