import { type AnswerRequest, ApiError, NetworkError, type Resolution } from 'sandbox-agent-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AnswerStore } from '../../src/requests/answers.ts';

const RESOLUTION: Resolution = {
  requestId: 'req_1',
  kind: 'permission',
  outcome: 'selected',
  decidedBy: 'user',
  resolvedAt: '2026-11-23T12:00:00Z',
  optionId: 'allow',
  optionKind: 'allow_once',
  actor: 'ana',
};
const ALLOW: AnswerRequest = { optionId: 'allow', actor: 'ana' };

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function network(): NetworkError {
  return new NetworkError('http://server', new Error('refused'));
}

function refused(status: number, details: Record<string, unknown> = {}): ApiError {
  return new ApiError(status, { detail: 'no', details: details as Record<string, never> });
}

test('an answer that is accepted resolves the request', async () => {
  const store = new AnswerStore(async () => RESOLUTION);
  const state = await store.answer('ses', 'req_1', ALLOW);
  expect(state).toMatchObject({ phase: 'resolved', isMine: true, outcome: { actor: 'ana' } });
});

test('a second press while the first is under way sends nothing', async () => {
  const send = vi.fn(async () => RESOLUTION);
  const store = new AnswerStore(send);
  await Promise.all([store.answer('ses', 'req_1', ALLOW), store.answer('ses', 'req_1', ALLOW)]);
  await store.answer('ses', 'req_1', { reply: 'reject' });
  expect(send).toHaveBeenCalledTimes(1);
});

test("somebody else's answer is shown in place of an error", async () => {
  const theirs = { ...RESOLUTION, actor: 'ben', optionId: 'reject', optionKind: 'reject_once' };
  const store = new AnswerStore(async () => {
    throw refused(409, { resolution: theirs });
  });
  const state = await store.answer('ses', 'req_1', ALLOW);
  expect(state).toMatchObject({ phase: 'resolved', isMine: false, outcome: { actor: 'ben' } });
});

test('without a connection it waits, and is sent once when there is one', async () => {
  const send = vi.fn(async () => RESOLUTION);
  const store = new AnswerStore(send);
  store.setConnected(false);
  expect(await store.answer('ses', 'req_1', ALLOW)).toMatchObject({
    phase: 'sending',
    waits: true,
  });
  store.setConnected(false);
  expect(send).not.toHaveBeenCalled();
  store.setConnected(true);
  store.setConnected(true);
  await vi.runAllTimersAsync();
  expect(send).toHaveBeenCalledTimes(1);
  expect(store.state('ses', 'req_1').phase).toBe('resolved');
});

test('an answer whose way back was lost is found to be our own', async () => {
  const send = vi.fn<() => Promise<Resolution>>();
  send
    .mockRejectedValueOnce(network())
    .mockRejectedValueOnce(refused(409, { resolution: RESOLUTION }));
  const store = new AnswerStore(send);
  await store.answer('ses', 'req_1', ALLOW);
  await vi.runAllTimersAsync();
  expect(store.state('ses', 'req_1')).toMatchObject({ phase: 'resolved', isMine: true });
});

test('what waits and was never sent can be taken back', async () => {
  const send = vi.fn(async () => RESOLUTION);
  const store = new AnswerStore(send);
  store.setConnected(false);
  await store.answer('ses', 'req_1', ALLOW);
  store.withdraw('ses', 'req_1');
  expect(store.state('ses', 'req_1').phase).toBe('idle');
  store.setConnected(true);
  await vi.runAllTimersAsync();
  expect(send).not.toHaveBeenCalled();
});

test('a refusal is told, and another answer is possible', async () => {
  const send = vi.fn<() => Promise<Resolution>>();
  send.mockRejectedValueOnce(refused(403)).mockResolvedValueOnce(RESOLUTION);
  const store = new AnswerStore(send);
  expect(await store.answer('ses', 'req_1', ALLOW)).toMatchObject({ phase: 'failed', body: ALLOW });
  expect(await store.answer('ses', 'req_1', ALLOW)).toMatchObject({ phase: 'resolved' });
});

test('a request that the server does not know any more is gone', async () => {
  const store = new AnswerStore(async () => {
    throw refused(404);
  });
  expect(await store.answer('ses', 'req_1', ALLOW)).toEqual({ phase: 'gone' });
});
