/** Everything that a page shows of one server, fed by one stream. */

import type { Event, Health, RequestInfo, SessionInfo } from '../api/schema.ts';
import type { SandboxAgent } from '../client.ts';
import { Feed } from '../feed.ts';
import { onWake } from '../wake.ts';
import { Activity } from './activity.ts';
import { type Connection, ConnectionState } from './connection.ts';
import { type Listener, Publisher } from './publisher.ts';
import { RequestInbox } from './request-inbox.ts';
import { SessionDirectory } from './session-directory.ts';
import { SessionStore } from './session-store.ts';

export interface ServerSnapshot {
  readonly connection: Connection;
  /** Newest first; those that did not change keep their identity. */
  readonly sessions: readonly SessionInfo[];
  /** All pages of the list were read. */
  readonly sessionsComplete: boolean;
  /** What waits for a person, in all sessions, oldest first. */
  readonly requests: readonly RequestInfo[];
  readonly health: Health | null;
  /** What each session that works does now, in one line. */
  readonly activity: ReadonlyMap<string, string>;
}

/** How many sessions are kept ready behind the ones that are shown. */
const KEPT_SESSIONS = 6;
/** How often the lines of what sessions do are told: a text that is being written changes one with each piece. */
const ACTIVITY_MS = 250;
/** One that was asked for is listened to a moment later, when it is shown. */
const GRACE_MS = 10_000;
/** Of sessions that are deleted no event tells: who comes back to the page has the list read anew, when it is older. */
const LIST_MS = 30_000;

export class ServerStore {
  readonly client: SandboxAgent;
  readonly #publisher = new Publisher(() => this.#publish());
  readonly #connection: ConnectionState;
  readonly #directory: SessionDirectory;
  readonly #inbox: RequestInbox;
  readonly #activity = new Activity();
  #activityTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #opened = new Map<string, SessionStore>();
  /** When each was asked for the last time. */
  readonly #askedAt = new Map<string, number>();
  /** Sessions whose deltas the feed was asked for, and those whose it brings. */
  #asked: ReadonlySet<string> = new Set();
  #covered: ReadonlySet<string> = new Set();
  #uncovered: (() => void)[] = [];
  #lines: ReadonlyMap<string, string> = new Map();
  #health: Health | null = null;
  #listedAt = 0;
  #feed: Feed | null = null;
  #running: AbortController | null = null;
  #snapshot: ServerSnapshot;

  constructor(client: SandboxAgent) {
    this.client = client;
    const changed = () => this.#publisher.schedule();
    this.#connection = new ConnectionState(changed);
    this.#directory = new SessionDirectory(client, (id) => this.#infoChanged(id));
    this.#inbox = new RequestInbox(client, changed);
    this.#snapshot = this.#read();
  }

  getSnapshot(): ServerSnapshot {
    return this.#snapshot;
  }

  /** Listeners are told once a frame. */
  subscribe(listener: Listener): () => void {
    return this.#publisher.subscribe(listener);
  }

  /** Follow the server. Starting twice is starting once. */
  start(): void {
    if (this.#running) return;
    const running = new AbortController();
    this.#running = running;
    this.#connection.connecting();
    this.#follow(running.signal).catch((error: unknown) => {
      if (this.#running !== running) return;
      this.#connection.failed(error);
      this.stop();
    });
  }

  /** Let go of the server; what is known stays. */
  stop(): void {
    this.#running?.abort();
    this.#running = null;
    this.#covered = new Set();
    this.#inbox.stop();
  }

  /** Try to connect now, not when it is due. */
  retry(): void {
    if (this.#running) this.#feed?.wake();
    else this.start();
  }

  /** The session's store; the same as long as somebody looks at it, and a while longer. */
  session(id: string): SessionStore {
    let store = this.#opened.get(id);
    if (store) {
      // The last in the map is the last that was asked for.
      this.#opened.delete(id);
    } else {
      store = new SessionStore(id, {
        client: this.client,
        info: (one) => this.#directory.get(one),
        tell: (info) => this.#directory.tell(info),
        connected: (signal) => this.#connection.connected(signal),
        followed: (one, signal) => this.#followed(one, signal),
      });
    }
    this.#opened.set(id, store);
    this.#askedAt.set(id, Date.now());
    if (this.#opened.size > KEPT_SESSIONS) this.#closeUnwatched();
    return store;
  }

  /** Ask the server what a session is like now. */
  refreshSession(id: string): void {
    this.#directory.refresh(id);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    this.#asked = new Set(this.#opened.keys());
    const feed = new Feed(this.client.transport, {
      signal,
      deltasOf: [...this.#asked],
      ...(this.#feed?.cursor ? { after: this.#feed.cursor } : {}),
    });
    this.#feed = feed;
    const offline = onWake(() => {
      this.#connection.networkChanged();
      const isLive = this.#connection.current.state === 'live';
      if (isLive && Date.now() - this.#listedAt > LIST_MS) this.#list(signal);
    });
    try {
      for await (const item of feed) {
        if (signal.aborted) return;
        switch (item.type) {
          case 'connected':
            this.#covered = new Set(item.deltasOf);
            if (item.restarted) this.#connection.restarted();
            else this.#connected(item.resumed, signal);
            for (const resolve of this.#uncovered.splice(0)) resolve();
            break;
          case 'disconnected':
            this.#covered = new Set();
            this.#connection.lost(item.error, item.attempt);
            break;
          case 'events':
            this.#connection.brought(item.events.length);
            this.#take(item.events);
            break;
          case 'checkpoint':
            this.#connection.checkpoint();
        }
      }
    } finally {
      offline();
    }
  }

  /**
   * Resolves when the feed brings the deltas of a session, too: what is read of its history from then on and what the
   * feed brings have no gap between them.
   */
  async #followed(id: string, signal: AbortSignal): Promise<void> {
    // Several are opened in one moment: one restart is enough.
    await Promise.resolve();
    while (!this.#covered.has(id)) {
      if (signal.aborted) throw signal.reason;
      if (this.#opened.has(id) && !this.#asked.has(id)) {
        this.#asked = new Set(this.#opened.keys());
        this.#feed?.restart([...this.#asked]);
      }
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        this.#uncovered.push(resolve);
      });
    }
  }

  #connected(resumed: boolean, signal: AbortSignal): void {
    this.#connection.live();
    // What is read now may be of before an event that is under way: the events know their place.
    this.#list(signal);
    this.#inbox.refresh();
    void this.#readHealth(signal);
    if (!resumed) for (const store of this.#opened.values()) void store.catchUp().catch(() => {});
  }

  #list(signal: AbortSignal): void {
    this.#listedAt = Date.now();
    void this.#directory.list(signal);
  }

  async #readHealth(signal: AbortSignal): Promise<void> {
    try {
      this.#health = await this.client.health({ signal });
      this.#publisher.schedule();
    } catch {
      // The feed tells of a server that is gone.
    }
  }

  #take(events: readonly Event[]): void {
    const bySession = new Map<string, Event[]>();
    let isOther = false;
    for (const event of events) {
      this.#directory.apply(event);
      this.#inbox.apply(event);
      isOther = this.#activity.apply(event) || isOther;
      if (!this.#opened.has(event.sessionId)) continue;
      const some = bySession.get(event.sessionId);
      if (some) some.push(event);
      else bySession.set(event.sessionId, [event]);
    }
    for (const [id, some] of bySession) this.#opened.get(id)?.receive(some);
    if (!isOther) return;
    this.#activityTimer ??= setTimeout(() => {
      this.#activityTimer = undefined;
      this.#lines = this.#activity.lines();
      this.#publisher.schedule();
    }, ACTIVITY_MS);
  }

  #infoChanged(id: string | null): void {
    if (id !== null) this.#opened.get(id)?.infoChanged();
    this.#publisher.schedule();
  }

  #closeUnwatched(): void {
    let spare = this.#opened.size - KEPT_SESSIONS;
    for (const [id, store] of this.#opened) {
      if (spare <= 0) return;
      if (store.isWatched || Date.now() - (this.#askedAt.get(id) ?? 0) < GRACE_MS) continue;
      // What waits to be sent is shown there.
      if (store.getSnapshot().outbox.length > 0) continue;
      store.close();
      this.#opened.delete(id);
      this.#askedAt.delete(id);
      spare -= 1;
    }
  }

  #publish(): void {
    this.#snapshot = this.#read();
  }

  #read(): ServerSnapshot {
    return {
      connection: this.#connection.current,
      sessions: this.#directory.sessions(),
      sessionsComplete: this.#directory.isComplete,
      requests: this.#inbox.requests,
      health: this.#health,
      activity: this.#lines,
    };
  }
}
