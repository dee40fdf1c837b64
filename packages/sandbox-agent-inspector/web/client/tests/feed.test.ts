import type { ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { Feed, type FeedItem, type FeedOptions, Transport } from '../src/index.ts';
import { checkpoint, event, HttpServer, json, stream } from './support/http-server.ts';

type Connection = (response: ServerResponse) => void;

let server: HttpServer;

/** Each connection is answered by the next; more than there are wait. */
async function feedOf(connections: Connection[], options: FeedOptions = {}): Promise<Feed> {
  server = await new HttpServer((_request, response) => {
    const next = connections.shift();
    if (next) next(response);
    else stream(response);
  }).start();
  return new Feed(new Transport({ url: server.url }), options);
}

/** What it brings, until it has brought the event of that `seq`. */
async function readUntil(feed: Feed, seq: number): Promise<FeedItem[]> {
  const items: FeedItem[] = [];
  for await (const item of feed) {
    items.push(item);
    if (item.type === 'events' && item.events.some((one) => one.seq === seq)) return items;
  }
  return items;
}

function seqs(items: readonly FeedItem[]): string[] {
  return items.flatMap((item) =>
    item.type === 'events' ? item.events.map((one) => `${one.sessionId}:${one.seq}`) : [],
  );
}

afterEach(() => server.stop());

test('after a broken connection it goes on behind the checkpoint, and brings nothing twice', async () => {
  const feed = await feedOf([
    (response) => {
      stream(response);
      response.write(checkpoint('c0') + event('a', 1) + checkpoint('c1') + event('a', 2));
      response.write(event('b', 1), () => response.destroy());
    },
    (response) => {
      stream(response);
      response.write(checkpoint('c1') + event('a', 2) + event('b', 1) + event('a', 3));
    },
  ]);
  const items = await readUntil(feed, 3);
  expect(seqs(items)).toEqual(['a:1', 'a:2', 'b:1', 'a:3']);
  expect(server.requests.map(({ url }) => url.searchParams.get('after'))).toEqual([null, 'c1']);
  const connected = items.filter((item) => item.type === 'connected');
  expect(connected.map((item) => item.resumed)).toEqual([false, true]);
});

test('a session that was purged and made again begins anew', async () => {
  const feed = await feedOf([
    (response) => {
      stream(response);
      response.write(checkpoint('c0') + event('a', 7) + checkpoint('c1') + event('a', 1));
    },
  ]);
  expect(seqs(await readUntil(feed, 1))).toEqual(['a:7', 'a:1']);
});

test('a token that is not valid any more ends it', async () => {
  const feed = await feedOf([
    (response) => json(response, { type: 'urn:sandbox-agent:error:token_invalid' }, 401),
  ]);
  await expect(readUntil(feed, 1)).rejects.toMatchObject({ code: 'token_invalid' });
});

test('a cursor of other data is forgotten, and it begins with now', async () => {
  const feed = await feedOf(
    [
      (response) => json(response, { type: 'urn:sandbox-agent:error:invalid_request' }, 400),
      (response) => {
        stream(response);
        response.write(checkpoint('n0') + event('a', 1));
      },
    ],
    { after: 'of-old' },
  );
  const items = await readUntil(feed, 1);
  expect(server.requests.map(({ url }) => url.searchParams.get('after'))).toEqual(['of-old', null]);
  expect(items.find((item) => item.type === 'connected')?.resumed).toBe(false);
});

test('a connection on which nothing comes any more is given up', async () => {
  const feed = await feedOf(
    [
      (response) => {
        stream(response);
        response.write(checkpoint('c0'));
      },
      (response) => {
        stream(response);
        response.write(checkpoint('c0') + event('a', 1));
      },
    ],
    { silenceMs: 50 },
  );
  expect(seqs(await readUntil(feed, 1))).toEqual(['a:1']);
});

test('with other deltas it goes on at the same place, and says so', async () => {
  const feed = await feedOf(
    [
      (response) => {
        stream(response);
        response.write(checkpoint('c0') + event('a', 1));
      },
      (response) => {
        stream(response);
        response.write(checkpoint('c0') + event('a', 1) + event('a', 2));
      },
    ],
    { deltasOf: [] },
  );
  const items: FeedItem[] = [];
  for await (const item of feed) {
    items.push(item);
    if (item.type === 'events' && seqs(items).length === 1) feed.restart(['a', 'b']);
    if (seqs(items).at(-1) === 'a:2') break;
  }
  expect(server.requests.map(({ url }) => url.search)).toEqual([
    '?deltas=false',
    '?deltasOf=a%2Cb&after=c0',
  ]);
  expect(items.filter((item) => item.type !== 'checkpoint').map((item) => item.type)).toEqual([
    'connected',
    'events',
    'connected',
    'events',
  ]);
});

test('a server that answers and hangs up is not asked without a pause', async () => {
  const hangUp = (response: ServerResponse) => {
    stream(response);
    response.end(checkpoint('c0'));
  };
  const feed = await feedOf([hangUp, hangUp]);
  const pauses: number[] = [];
  for await (const item of feed) {
    if (item.type === 'disconnected') pauses.push(item.retryInMs);
    if (pauses.length === 2) break;
  }
  expect(pauses[0]).toBe(0);
  expect(pauses[1]).toBeGreaterThan(100);
});
