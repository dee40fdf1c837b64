import { expect, test } from 'vitest';
import { SandboxAgent, type SessionInfo } from '../../src/index.ts';
import { SessionStore } from '../../src/stores/session-store.ts';

test('a place in a session that there is not is not looked for without end', async () => {
  const fetch = async () => new Response('{}', { status: 404 });
  const store = new SessionStore('ses_gone', {
    client: new SandboxAgent({ url: 'http://server', fetch }),
    info: () => null,
    tell: () => {},
    connected: () => Promise.resolve(),
    followed: () => Promise.resolve(),
  });
  await store.loadUntil(5);
  await expect.poll(() => store.getSnapshot().state).toBe('missing');
});

test('a session that is deleted while it is looked at is missing', async () => {
  let info: SessionInfo | null = { id: 'ses_1' } as SessionInfo;
  const fetch = async (input: unknown) =>
    Response.json(String(input).includes('/events') ? { events: [], hasMore: false } : info);
  const store = new SessionStore('ses_1', {
    client: new SandboxAgent({ url: 'http://server', fetch }),
    info: () => info,
    tell: () => {},
    connected: () => Promise.resolve(),
    followed: () => Promise.resolve(),
  });
  await expect.poll(() => store.getSnapshot().state).toBe('ready');
  info = null;
  store.infoChanged();
  await expect.poll(() => store.getSnapshot().state).toBe('missing');
});
