/**
 * Follows a server as a page does, and answers what it is asked on stdin, one JSON object a line:
 *
 * `{do: 'open', id}` and `{do: 'close', id}` a session, `{do: 'send', id, text}`, `{do: 'retry'}`,
 * `{do: 'read', id}`: the state of all, and the session's transcript.
 * Each is answered by one line; `send` when the server has accepted it.
 */

import { createInterface } from 'node:readline';
import { loadSources } from './sources.mjs';

const [url, token] = process.argv.slice(2);
const [{ SandboxAgent, ServerStore }, close] = await loadSources('index.ts');
const store = new ServerStore(new SandboxAgent({ url, token }));
const watched = new Map();
store.start();

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  // Not waited for: another may be asked meanwhile.
  answer(asked).then(
    (answered) => process.stdout.write(`${JSON.stringify({ to: asked.number, ...answered })}\n`),
    (error) =>
      process.stdout.write(`${JSON.stringify({ to: asked.number, error: String(error) })}\n`),
  );
}
store.stop();
await close();
process.exit(0);

async function answer({ do: what, id, text }) {
  switch (what) {
    case 'open':
      watched.set(
        id,
        store.session(id).subscribe(() => {}),
      );
      return {};
    case 'close':
      watched.get(id)?.();
      return {};
    case 'send':
      return store.session(id).send(text);
    case 'retry':
      store.retry();
      return {};
    case 'read':
      return read(id);
    default:
      throw new Error(`unknown: ${what}`);
  }
}

function read(id) {
  const { connection, sessions, sessionsComplete, requests, activity } = store.getSnapshot();
  const read = {
    connection,
    sessions: sessions.map(({ id, status, lastSeq, title }) => ({ id, status, lastSeq, title })),
    sessionsComplete,
    requests: requests.map(({ id, sessionId, kind }) => ({ id, sessionId, kind })),
    activity: Object.fromEntries(activity),
  };
  if (!id) return read;
  const session = store.session(id);
  const { state, complete, transcript, outbox, problem } = session.getSnapshot();
  const seqs = session.events.slice(0).map((event) => event.seq);
  return {
    ...read,
    state,
    complete,
    transcript,
    outbox,
    seqs,
    problem: problem && String(problem),
  };
}
