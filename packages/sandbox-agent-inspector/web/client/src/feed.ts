/** What happens in all sessions of a server: one stream that connects again by itself and goes on where it was. */

import type { Event } from './api/schema.ts';
import { ApiError } from './errors.ts';
import { EventSocket } from './http/event-socket.ts';
import { readSse } from './http/sse.ts';
import { takeStreamSlot } from './http/stream-slots.ts';
import type { Query, Transport } from './http/transport.ts';
import { onWake } from './wake.ts';

/** What a feed brings. */
export type FeedItem =
  /** New events, in the order of each session, each once. */
  | { readonly type: 'events'; readonly events: readonly Event[] }
  /** All events before it have been brought: `after` of a later feed. */
  | { readonly type: 'checkpoint'; readonly cursor: string }
  /** `resumed`: without a gap to what came before. Else read again what you show. */
  | {
      readonly type: 'connected';
      readonly resumed: boolean;
      /** Another query, at the same place. */
      readonly restarted: boolean;
      /** Whose deltas it brings; all without. */
      readonly deltasOf: readonly string[] | undefined;
    }
  /** It tries again in `retryInMs`. */
  | {
      readonly type: 'disconnected';
      readonly error: Error | null;
      readonly attempt: number;
      readonly retryInMs: number;
    };

export interface FeedOptions {
  /** Begin behind this checkpoint; `0`: with all that is kept; without: now. */
  after?: string;
  deltas?: boolean;
  /** Deltas of these sessions alone. */
  deltasOf?: readonly string[];
  agent?: string | readonly string[];
  types?: string | readonly string[];
  signal?: AbortSignal;
  /** How long nothing may come, not even a comment, before the connection is taken for dead. */
  silenceMs?: number;
}

/** What a connection brings, as a WebSocket has it. */
type FeedMessage =
  | { readonly type: 'event'; readonly event: Event }
  | { readonly type: 'checkpoint'; readonly cursor: string }
  | { readonly type: 'heartbeat' };

const BACKOFF_MS = [250, 500, 1000, 2000, 4000];
/** One that ends sooner is a try that failed, whatever it brought: who answers and hangs up is not asked without a pause. */
const STABLE_MS = 1000;
const SILENCE_MS = 25_000;
/** Shorter than the server's silence between two comments: what came is of before the machine slept. */
const STALE_MS = 12_000;

export function followFeed(transport: Transport, options: FeedOptions): Feed {
  return new Feed(transport, options);
}

export class Feed implements AsyncIterable<FeedItem> {
  readonly #transport: Transport;
  readonly #options: FeedOptions;
  readonly #query: Query;
  #deltasOf: readonly string[] | undefined;
  #cursor: string | undefined;
  /** Of each session what came since the checkpoint, which is what a new connection repeats. */
  readonly #since = new Map<string, number>();
  #connection: AbortController | null = null;
  #activeAt = 0;
  #wake: (() => void) | null = null;
  /** The connection has begun to bring something. */
  #isOpen = false;
  /** What the connection was that is given up for another query. */
  #restart: 'open' | 'opening' | null = null;

  constructor(transport: Transport, options: FeedOptions = {}) {
    const { after, agent, types, deltas, deltasOf } = options;
    this.#transport = transport;
    this.#options = options;
    this.#cursor = after;
    this.#query = { agent, types, deltas };
    this.#deltasOf = deltasOf;
  }

  /** The last checkpoint. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** Try now, if it waits to try again; look whether the connection is alive, if it has one. */
  wake({ isOnline = false }: { isOnline?: boolean } = {}): void {
    this.#wake?.();
    if (isOnline || Date.now() - this.#activeAt > STALE_MS) this.#connection?.abort();
  }

  /** Go on at the same place, with the deltas of other sessions. Events since the checkpoint come again. */
  restart(deltasOf: readonly string[]): void {
    this.#deltasOf = deltasOf;
    this.#since.clear();
    this.#restart = this.#connection && (this.#isOpen ? 'open' : 'opening');
    this.#connection?.abort();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FeedItem, void, undefined> {
    const { signal } = this.#options;
    const unlisten = onWake((reason) => this.wake({ isOnline: reason === 'online' }));
    let attempt = 0;
    try {
      while (!signal?.aborted) {
        let error: Error | null = null;
        const begunAt = performance.now();
        try {
          yield* this.#connected();
        } catch (reason) {
          if (isFinal(reason)) throw reason;
          error = reason instanceof Error ? reason : new Error(String(reason));
          this.#forgetBadCursor(reason);
        }
        if (signal?.aborted) return;
        if (this.#restart && error === null) continue;
        attempt = performance.now() - begunAt < STABLE_MS ? attempt + 1 : 1;
        const retryInMs = waitMs(attempt, error);
        yield { type: 'disconnected', error, attempt, retryInMs };
        await this.#pause(retryInMs);
      }
    } finally {
      unlisten();
      this.#connection?.abort();
    }
  }

  async *#connected(): AsyncGenerator<FeedItem, void, undefined> {
    const outer = this.#options.signal;
    const connection = new AbortController();
    const signal = outer ? AbortSignal.any([outer, connection.signal]) : connection.signal;
    this.#connection = connection;
    this.#activeAt = Date.now();
    const silenceMs = this.#options.silenceMs ?? SILENCE_MS;
    const watch = setInterval(() => {
      if (Date.now() - this.#activeAt > silenceMs) connection.abort();
    }, silenceMs / 5);
    const resumed = this.#cursor !== undefined;
    const restarted = this.#restart === 'open';
    this.#restart = null;
    const deltasOf = this.#deltasOf;
    try {
      const query = { ...this.#query, ...deltasQuery(deltasOf), after: this.#cursor };
      for await (const messages of this.#messages(query, signal)) {
        if (messages === 'open') {
          this.#isOpen = true;
          yield { type: 'connected', resumed, restarted, deltasOf };
        } else yield* this.#items(messages);
      }
    } catch (error) {
      // Given up by us, to begin anew.
      if (connection.signal.aborted && !outer?.aborted) return;
      if (!outer?.aborted) throw error;
    } finally {
      clearInterval(watch);
      connection.abort();
      this.#connection = null;
      this.#isOpen = false;
    }
  }

  /** `open`, then what comes. A few pages of a browser use HTTP, all others a WebSocket, where one gets through. */
  async *#messages(
    query: Query,
    signal: AbortSignal,
  ): AsyncGenerator<'open' | readonly FeedMessage[], void, undefined> {
    const transport = this.#transport;
    const onActivity = () => {
      this.#activeAt = Date.now();
    };
    const isPage =
      transport.isDirect && typeof document !== 'undefined' && typeof WebSocket !== 'undefined';
    const release = isPage ? await takeStreamSlot(transport.url) : null;
    try {
      const socket =
        isPage && !release
          ? await EventSocket.open<FeedMessage>({
              url: transport.socketUrl('/v1/events', query),
              protocols: transport.socketProtocols(),
              signal,
              onActivity,
            })
          : null;
      if (socket) {
        yield 'open';
        yield* socket.read();
        return;
      }
      const response = await transport.send('GET', '/v1/events', {
        query,
        accept: 'text/event-stream',
        signal,
      });
      yield 'open';
      for await (const messages of readSse(response, { signal, onActivity })) {
        yield messages.map(({ event, data }): FeedMessage => {
          if (event === 'checkpoint') return { type: 'checkpoint', ...JSON.parse(data) };
          return { type: 'event', event: JSON.parse(data) as Event };
        });
      }
    } finally {
      release?.();
    }
  }

  *#items(messages: readonly FeedMessage[]): Generator<FeedItem> {
    let events: Event[] = [];
    for (const message of messages) {
      if (message.type === 'heartbeat') continue;
      if (message.type === 'event') {
        const one = message.event;
        if (one.seq <= (this.#since.get(one.sessionId) ?? 0)) continue;
        this.#since.set(one.sessionId, one.seq);
        events.push(one);
        continue;
      }
      if (events.length > 0) yield { type: 'events', events };
      events = [];
      const { cursor } = message;
      // The first of a connection is where it begins, which is behind nothing that this one has brought.
      if (cursor !== this.#cursor) this.#since.clear();
      this.#cursor = cursor;
      yield { type: 'checkpoint', cursor };
    }
    if (events.length > 0) yield { type: 'events', events };
  }

  /** A server whose data are others than those the cursor is of. */
  #forgetBadCursor(reason: unknown): void {
    if (reason instanceof ApiError && reason.status === 400 && this.#cursor !== undefined) {
      this.#cursor = undefined;
      this.#since.clear();
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#options;
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done);
      this.#wake = done;
    });
  }
}

/** Of none is `false`, for an empty list would be no filter. */
function deltasQuery(deltasOf: readonly string[] | undefined): Query {
  if (!deltasOf) return {};
  return deltasOf.length > 0 ? { deltasOf } : { deltas: false };
}

function isFinal(reason: unknown): boolean {
  return reason instanceof ApiError && (reason.status === 401 || reason.status === 403);
}

function waitMs(attempt: number, error: Error | null): number {
  // A connection that the server or we closed without an error is made again at once.
  if (error === null && attempt === 1) return 0;
  const backoff = BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length) - 1] ?? 0;
  const asked = error instanceof ApiError ? (error.retryAfterS ?? 0) * 1000 : 0;
  // Pages that lost one server together do not come back in one moment.
  return Math.max(backoff * (0.75 + Math.random() / 2), asked);
}
