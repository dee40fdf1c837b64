// @vitest-environment jsdom

import { act, cleanup, render, screen } from '@testing-library/react';
import { StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { SandboxAgent, ServerStore } from 'sandbox-agent-client';
import { afterEach, expect, test, vi } from 'vitest';
import {
  ServerProvider,
  useConnection,
  useServerStore,
  useSessionSelector,
  useSessions,
} from '../../src/server/index.ts';

const SESSION = {
  id: 'ses_1',
  agent: 'mock',
  cwd: '/',
  title: 'Say something',
  status: 'idle',
  createdAt: '2026-11-23T12:00:00.000Z',
  updatedAt: '2026-11-23T12:00:00.000Z',
  lastSeq: 2,
};
const EVENTS = ['one', 'two'].map((text, index) => ({
  seq: index + 1,
  id: `ses_1:${index + 1}`,
  sessionId: 'ses_1',
  time: '2026-11-23T12:00:00.000Z',
  type: 'message.completed',
  sender: 'agent',
  data: { messageId: text, text },
}));

/** A server with one session, whose streams say nothing until they are given up. */
function serverStore() {
  const open = new Set<AbortSignal>();
  const fetch = vi.fn(async (input: RequestInfo | URL, init?: RequestInit) => {
    const { pathname } = new URL(String(input));
    if (pathname === '/v1/events') {
      const signal = init?.signal;
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(': open\n\n'));
          if (!signal) return;
          open.add(signal);
          signal.addEventListener('abort', () => {
            open.delete(signal);
            controller.error(signal.reason);
          });
        },
      });
      return new Response(body);
    }
    const answers: Record<string, unknown> = {
      '/v1/sessions': { sessions: [SESSION] },
      '/v1/sessions/ses_1': SESSION,
      '/v1/sessions/ses_1/events': { events: EVENTS, nextCursor: 2, hasMore: false },
      '/v1/requests': { requests: [] },
      '/v1/health': { status: 'ok' },
    };
    return Response.json(answers[pathname] ?? {}, { status: pathname in answers ? 200 : 404 });
  });
  return { store: new ServerStore(new SandboxAgent({ url: 'http://server', fetch })), open };
}

function Sessions() {
  const sessions = useSessions();
  const { state } = useConnection();
  return (
    <p>
      {state}: {sessions.map((one) => one.title).join()}
    </p>
  );
}

function Count({ onRender }: { onRender(): void }) {
  onRender();
  const state = useSessionSelector('ses_1', (snapshot) => snapshot.state);
  const items = useSessionSelector('ses_1', (snapshot) => snapshot.transcript.turns[0]?.items);
  return <p>{`${state} ${(items ?? []).length}`}</p>;
}

function Lost() {
  useServerStore();
  return null;
}

afterEach(cleanup);

test('what the server has is shown, also when React mounts twice, with one stream', async () => {
  const { store, open } = serverStore();
  const { unmount } = render(
    <StrictMode>
      <ServerProvider store={store}>
        <Sessions />
      </ServerProvider>
    </StrictMode>,
  );
  expect(screen.getByText('connecting:')).toBeTruthy();
  expect(await screen.findByText('live: Say something')).toBeTruthy();
  expect(open.size).toBe(1);
  unmount();
  await vi.waitFor(() => expect(open.size).toBe(0));
});

test('it renders on a server, where nothing is followed', () => {
  const { store, open } = serverStore();
  const html = renderToString(
    <ServerProvider store={store}>
      <Sessions />
    </ServerProvider>,
  );
  expect(html).toContain('connecting');
  expect(open.size).toBe(0);
});

test('a component renders for the part of a session that it reads, and for no other', async () => {
  const { store } = serverStore();
  const onRender = vi.fn();
  render(
    <ServerProvider store={store}>
      <Count onRender={onRender} />
    </ServerProvider>,
  );
  expect(await screen.findByText('ready 2')).toBeTruthy();
  const before = onRender.mock.calls.length;
  await act(async () => {
    store.refreshSession('ses_1');
    await new Promise((resolve) => requestAnimationFrame(resolve));
  });
  expect(onRender).toHaveBeenCalledTimes(before);
});

test('a hook without a provider says what is missing', () => {
  const silent = vi.spyOn(console, 'error').mockImplementation(() => {});
  expect(() => render(<Lost />)).toThrow('<ServerProvider>');
  silent.mockRestore();
});
