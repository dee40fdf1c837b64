import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SandboxAgent, ServerStore } from '../../src/index.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a server that is let go of, or that takes the token no more, is asked nothing', async () => {
  let status = 503;
  const fetch = vi.fn(async (_input: unknown, init?: RequestInit) => {
    const isFeed = new Headers(init?.headers).get('accept') === 'text/event-stream';
    if (isFeed && status === 503) return new Response(new ReadableStream());
    return new Response('{}', { status });
  });
  const store = new ServerStore(new SandboxAgent({ url: 'http://server', fetch }));
  store.start();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(fetch.mock.calls.length).toBeGreaterThan(3);
  store.stop();
  fetch.mockClear();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(fetch).not.toHaveBeenCalled();

  status = 401;
  store.start();
  await vi.advanceTimersByTimeAsync(100);
  expect(store.getSnapshot().connection.state).toBe('unauthorized');
  fetch.mockClear();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(fetch).not.toHaveBeenCalled();
});
