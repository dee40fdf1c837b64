import { afterEach, expect, test } from 'vitest';
import { ApiError, NetworkError, type RequestRecord, SandboxAgent } from '../../src/index.ts';
import { type Handler, HttpServer, json } from '../support/http-server.ts';

const TOKEN = 'a-secret-token';
let server: HttpServer;

async function serve(handler: Handler): Promise<HttpServer> {
  server = await new HttpServer(handler).start();
  return server;
}

afterEach(() => server.stop());

test('the token is in the header, and in no record of a request', async () => {
  const { url, requests } = await serve((_request, response) => json(response, { sessions: [] }));
  const records: RequestRecord[] = [];
  const client = new SandboxAgent({
    url: `${url}/`,
    token: TOKEN,
    onRequest: (one) => records.push(one),
  });
  await client.sessions.list({ agent: ['claude', 'codex'], metadata: { ticket: '7' }, limit: 3 });
  expect(requests[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
  expect(requests[0]?.url.search).toBe('?agent=claude%2Ccodex&limit=3&metadata.ticket=7');
  expect(records.map((one) => one.status)).toEqual([undefined, 200]);
  expect(JSON.stringify(records)).not.toContain(TOKEN);
});

test('a problem is an error with its code, its words and its details', async () => {
  const problem = {
    type: 'urn:sandbox-agent:error:session_ended',
    title: 'Session ended',
    status: 409,
    detail: 'The session was ended; resume it first.',
    retryable: false,
    details: { sessionId: 'ses_1' },
  };
  const { url } = await serve((_request, response) => json(response, problem, 409));
  const error = await new SandboxAgent({ url }).sessions
    .prompt('ses_1', { text: 'x' })
    .catch(String);
  expect(error).toContain('resume it first');
  const caught: unknown = await new SandboxAgent({ url }).sessions.get('x').catch((one) => one);
  expect(caught).toBeInstanceOf(ApiError);
  expect(caught).toMatchObject({
    status: 409,
    code: 'session_ended',
    retryable: false,
    details: { sessionId: 'ses_1' },
  });
});

test('what a proxy answers is an error, too', async () => {
  const { url } = await serve((_request, response) => {
    response.writeHead(502, { 'retry-after': '2' }).end('<html>Bad gateway</html>');
  });
  const caught: unknown = await new SandboxAgent({ url }).health().catch((one) => one);
  expect(caught).toMatchObject({ status: 502, code: 'http_502', retryable: true, retryAfterS: 2 });
});

test('no answer is a network error, and recorded as one', async () => {
  const { url } = await serve((request) => request.socket.destroy());
  const records: RequestRecord[] = [];
  const client = new SandboxAgent({ url, onRequest: (one) => records.push(one) });
  await expect(client.health()).rejects.toBeInstanceOf(NetworkError);
  expect(records.at(-1)).toMatchObject({ status: 0, error: { code: 'network_error' } });
});

test('ids and paths of others stay in their place of a URL', async () => {
  const { url, requests } = await serve((_request, response) => json(response, {}));
  const client = new SandboxAgent({ url });
  await client.sessions.get('../../v1/tokens?x=#');
  await client.files.stat('/a b/ü&path=c');
  expect(requests[0]?.url.pathname).toBe('/v1/sessions/..%2F..%2Fv1%2Ftokens%3Fx%3D%23');
  expect(requests[1]?.url.searchParams.get('path')).toBe('/a b/ü&path=c');
});

test('long work tells its progress and returns its result, or throws its problem', async () => {
  const { url } = await serve((_request, response, { pathname }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: progress\ndata: {"agent":"a","step":"downloading","doneBytes":1}\n\n');
    const problem = { type: 'urn:sandbox-agent:error:install_failed', status: 502, detail: 'No.' };
    response.end(
      pathname.includes('/good/')
        ? 'event: completed\ndata: {"already_installed":false}\n\n'
        : `event: error\ndata: ${JSON.stringify(problem)}\n\n`,
    );
  });
  const { agents } = new SandboxAgent({ url });
  const steps: string[] = [];
  const work = agents.install('good');
  for await (const { step } of work) steps.push(step);
  expect(steps).toEqual(['downloading']);
  expect(work.result).toEqual({ already_installed: false });
  await expect(agents.install('bad').done()).rejects.toMatchObject({ code: 'install_failed' });
});
