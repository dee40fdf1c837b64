import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NetworkError, SandboxAgent } from '../../src/index.ts';
import { Outbox } from '../../src/stores/outbox.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function answer(body: unknown, status = 202): Response {
  return new Response(JSON.stringify(body), { status });
}

function outboxOf(fetch: typeof globalThis.fetch) {
  const client = new SandboxAgent({ url: 'http://server', fetch });
  const connected = vi.fn(() => Promise.resolve());
  return { outbox: new Outbox('ses_1', { client, connected, changed: () => {} }), connected };
}

test('a prompt whose answer was lost is sent again with the same key', async () => {
  const keys: (string | null)[] = [];
  const { outbox, connected } = outboxOf(async (_input, init) => {
    keys.push(new Headers(init?.headers).get('idempotency-key'));
    if (keys.length < 3) throw new TypeError('connection reset');
    return answer({ turnId: 'turn_1', position: 0, seq: 4 });
  });
  const sending = outbox.send('Go');
  expect(outbox.prompts.map((one) => one.state)).toEqual(['sending']);
  await vi.runAllTimersAsync();
  expect(await sending).toMatchObject({ turnId: 'turn_1' });
  expect(new Set(keys).size).toBe(1);
  expect(keys).toHaveLength(3);
  expect(connected).toHaveBeenCalledTimes(2);
});

test('a hub or a proxy that reaches no server has refused nothing', async () => {
  const answers = [
    answer({ type: 'urn:sandbox-agent:error:server_unreachable' }, 503),
    new Response('<h1>Bad gateway</h1>', { status: 502 }),
    answer({ turnId: 'turn_1', position: 0, seq: 4 }),
  ];
  const { outbox, connected } = outboxOf(async () => answers.shift() ?? Response.error());
  const sending = outbox.send('Go');
  await vi.runAllTimersAsync();
  expect(await sending).toMatchObject({ turnId: 'turn_1' });
  expect(connected).toHaveBeenCalledTimes(2);
});

test('it is shown until the transcript has its turn', async () => {
  const { outbox } = outboxOf(async () => answer({ turnId: 'turn_1', position: 0, seq: 4 }));
  await outbox.send('Go');
  expect(outbox.prompts).toMatchObject([{ state: 'accepted', turnId: 'turn_1' }]);
  outbox.seen('turn_2');
  expect(outbox.prompts).toHaveLength(1);
  outbox.seen('turn_1');
  expect(outbox.prompts).toEqual([]);
});

test('its turn may be in the transcript before the answer to it', async () => {
  const { outbox } = outboxOf(async () => {
    outbox.seen('turn_1');
    return answer({ turnId: 'turn_1', position: 0, seq: 4 });
  });
  await outbox.send('Go');
  expect(outbox.prompts).toEqual([]);
});

test('what the server refuses is not sent again', async () => {
  const { outbox, connected } = outboxOf(async () =>
    answer({ type: 'urn:sandbox-agent:error:session_ended', detail: 'It was ended.' }, 409),
  );
  await expect(outbox.send('Go')).rejects.toMatchObject({ code: 'session_ended' });
  expect(outbox.prompts).toEqual([]);
  expect(connected).not.toHaveBeenCalled();
});

test('one that never gets through to a server that can be reached is given back', async () => {
  const fetch = vi.fn(() => Promise.reject(new TypeError('connection reset')));
  const { outbox } = outboxOf(fetch);
  const sending = expect(outbox.send('Go')).rejects.toBeInstanceOf(NetworkError);
  await vi.runAllTimersAsync();
  await sending;
  expect(fetch.mock.calls.length).toBeGreaterThan(3);
  expect(outbox.prompts).toEqual([]);
});

test('one that waits can be given up', async () => {
  const giveUp = new AbortController();
  const { outbox, connected } = outboxOf(async () => {
    throw new TypeError('connection refused');
  });
  connected.mockImplementation(async () => giveUp.abort());
  const sending = expect(outbox.send('Go', { signal: giveUp.signal })).rejects.toThrow();
  await vi.runAllTimersAsync();
  await sending;
  expect(outbox.prompts).toEqual([]);
  expect(new NetworkError('http://server', null).retryable).toBe(true);
});
