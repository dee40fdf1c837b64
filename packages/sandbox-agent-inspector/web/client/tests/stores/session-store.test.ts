import { expect, test } from 'vitest';
import { SandboxAgent } from '../../src/index.ts';
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
