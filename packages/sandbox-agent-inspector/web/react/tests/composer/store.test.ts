import { ApiError, SandboxAgent, type SessionStore } from 'sandbox-agent-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DraftStore } from '../../src/composer/drafts.ts';
import { PromptHistory } from '../../src/composer/history.ts';
import { ComposerStore, composerOf } from '../../src/composer/store.ts';

type Send = SessionStore['send'];
const ACCEPTED = { turnId: 'turn_1', position: 0, seq: 1 };

beforeEach(() => {
  vi.stubGlobal(
    'URL',
    Object.assign(URL, { createObjectURL: () => 'blob:x', revokeObjectURL() {} }),
  );
});
afterEach(() => vi.unstubAllGlobals());

function composer(send: Send, { takesImages = true, fetch = vi.fn() } = {}) {
  const client = new SandboxAgent({ url: 'http://server', token: null, fetch });
  const capabilities = { promptCapabilities: { image: takesImages } };
  const session = { send, getSnapshot: () => ({ info: { cwd: '/ws', capabilities } }) };
  const drafts = new DraftStore('a', null);
  const history = new PromptHistory('a', null);
  const store = new ComposerStore(client, session as unknown as SessionStore, 's', {
    drafts,
    history,
  });
  return { store, drafts, fetch };
}

async function settled(store: ComposerStore): Promise<void> {
  await vi.waitFor(() =>
    expect(store.getSnapshot().attachments.every((one) => one.state.phase !== 'preparing')).toBe(
      true,
    ),
  );
}

test('a draft is cleared when the server has taken it, and not before', async () => {
  let accept = (_: typeof ACCEPTED) => {};
  const send = vi.fn<Send>(
    () =>
      new Promise((resolve) => {
        accept = resolve;
      }),
  );
  const { store, drafts } = composer(send);
  drafts.set('s', 'hello');
  const sent = store.send('queue');
  await store.send('queue');
  expect(send).toHaveBeenCalledTimes(1);
  expect(drafts.get('s')).toBe('hello');
  drafts.set('s', 'hello and more');
  accept(ACCEPTED);
  await sent;
  expect(drafts.get('s')).toBe('and more');
  expect(store.getSnapshot().sending).toBeNull();
});

test('a refusal keeps the draft and says why', async () => {
  const { store, drafts } = composer(async () => {
    throw new ApiError(401, { detail: 'token_invalid' });
  });
  drafts.set('s', 'hello');
  await store.send('queue');
  expect(drafts.get('s')).toBe('hello');
  expect(store.getSnapshot().problem).toBeInstanceOf(ApiError);
});

test('a picture goes with the words where the agent takes pictures', async () => {
  const send = vi.fn<Send>(async () => ACCEPTED);
  const { store, drafts, fetch } = composer(send);
  store.attach([new File([new Uint8Array([1, 2, 3])], 'a.png', { type: 'image/png' })]);
  drafts.set('s', 'look');
  await settled(store);
  await store.send('steer');
  expect(fetch).not.toHaveBeenCalled();
  expect(send.mock.calls[0]?.[0]).toEqual([
    { type: 'text', text: 'look' },
    { type: 'image', data: 'AQID', mimeType: 'image/png' },
  ]);
  expect(send.mock.calls[0]?.[1]).toMatchObject({ steer: true });
  expect(store.getSnapshot().attachments).toEqual([]);
});

test('anything else is written into the workspace, under a name that is free', async () => {
  const taken = new Set(['/ws/.attachments/.gitignore', '/ws/.attachments/a.txt']);
  const fetch = vi.fn(async (input: RequestInfo | URL) => {
    const path = new URL(String(input)).searchParams.get('path') ?? '';
    return taken.has(path)
      ? Response.json({ type: 'urn:sandbox-agent:error:path_exists' }, { status: 409 })
      : Response.json({ path, bytesWritten: 5 });
  });
  const send = vi.fn<Send>(async () => ACCEPTED);
  const { store } = composer(send, { fetch });
  store.attach([new File(['hello'], '../a.txt', { type: 'text/plain' })]);
  await settled(store);
  await store.send('queue');
  expect(send.mock.calls[0]?.[0]).toEqual([
    {
      type: 'resource_link',
      uri: 'file:///ws/.attachments/a-2.txt',
      name: 'a-2.txt',
      mimeType: 'text/plain',
      size: 5,
    },
  ]);
});

test('a file that cannot be written says so, can be tried again, and holds the prompt back', async () => {
  const fetch = vi.fn(async () => Response.json({ detail: 'the disk is full' }, { status: 507 }));
  const send = vi.fn<Send>(async () => ACCEPTED);
  const { store, drafts } = composer(send, { fetch });
  drafts.set('s', 'look');
  store.attach([new File(['hello'], 'a.txt')]);
  await settled(store);
  const [attachment] = store.getSnapshot().attachments;
  expect(attachment?.state).toEqual({ phase: 'failed', reason: 'the disk is full' });
  await store.send('queue');
  expect(send).not.toHaveBeenCalled();
  if (attachment) store.detach(attachment.id);
  await store.send('queue');
  expect(send).toHaveBeenCalledTimes(1);
});

test('it sends through the store that the session has now', async () => {
  const client = new SandboxAgent({ url: 'http://server', token: null });
  const sends = [vi.fn<Send>(async () => ACCEPTED), vi.fn<Send>(async () => ACCEPTED)];
  const [first, second] = sends.map((send) => {
    const session = { send, getSnapshot: () => ({ info: null }) };
    return composerOf(client, session as unknown as SessionStore, 's');
  });
  expect(second).toBe(first);
  second?.drafts.set('s', 'hello');
  await second?.send('queue');
  expect(sends.map((send) => send.mock.calls.length)).toEqual([0, 1]);
});
