/** All sessions of a server: read as a list, kept true by events, asked for again where an event says too little. */

import type { Event, SessionInfo } from '../api/schema.ts';
import type { SandboxAgent } from '../client.ts';
import { ApiError } from '../errors.ts';
import { isSame } from '../same.ts';
import { afterEvent, isMore } from './session-info.ts';

const PAGE = 200;
/** Events come in crowds: one question behind them is enough. */
const SETTLE_MS = 150;
/** What has stopped is asked for once more: it may have stopped because it is being deleted, of which no event tells. */
const GONE_MS = 2000;
/** An event that only says that something happens comes hundreds of times a second: a few times is enough to know. */
const QUIET_MS = 250;
const PARALLEL = 4;

export class SessionDirectory {
  readonly #client: SandboxAgent;
  readonly #changed: (id: string | null) => void;
  readonly #known = new Map<string, SessionInfo>();
  /** Of each session the last event after which the server has to be asked. */
  readonly #told = new Map<string, number>();
  readonly #due = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #queue = new Set<string>();
  readonly #asking = new Set<string>();
  /** Of each session the last event that changes nothing but when it happened, and is not taken in yet. */
  readonly #quiet = new Map<string, Event>();
  #quietTimer: ReturnType<typeof setTimeout> | undefined;
  #sessions: readonly SessionInfo[] | null = [];
  /** Their ids, newest first; null when there are others than before. */
  #order: string[] | null = null;
  #listing: AbortController | null = null;
  isComplete = false;

  /** `changed` is told which session, or null for the list. */
  constructor(client: SandboxAgent, changed: (id: string | null) => void) {
    this.#client = client;
    this.#changed = changed;
  }

  get(id: string): SessionInfo | null {
    return this.#known.get(id) ?? null;
  }

  /** Newest first. */
  sessions(): readonly SessionInfo[] {
    if (this.#sessions) return this.#sessions;
    // Many events a second change one of thousands: that is no reason to sort them.
    this.#order ??= [...this.#known.values()].sort(newestFirst).map(({ id }) => id);
    this.#sessions = this.#order.flatMap((id) => this.#known.get(id) ?? []);
    return this.#sessions;
  }

  /** Take in an event. */
  apply(event: Event): void {
    const id = event.sessionId;
    const info = this.#known.get(id);
    if (isMore(event)) this.#told.set(id, event.seq);
    if (!info || isMore(event)) this.refresh(id, SETTLE_MS);
    if (!info) return;
    if (!isMore(event)) {
      this.#quiet.set(id, event);
      this.#quietTimer ??= setTimeout(() => this.#takeQuiet(), QUIET_MS);
      return;
    }
    const next = afterEvent(info, event);
    if (next !== info) this.#put(next);
  }

  /** What somebody else has read. */
  tell(info: SessionInfo): void {
    this.#takeQuiet();
    let known = this.#known.get(info.id);
    if (known && known.createdAt !== info.createdAt) {
      // Another with its id: that one was purged.
      known = undefined;
      this.#told.delete(info.id);
    }
    // An answer of before an event that was taken in would take it back.
    if (info.lastSeq < (this.#told.get(info.id) ?? 0)) {
      this.refresh(info.id, SETTLE_MS);
      if (known) return;
    }
    const next =
      known && known.lastSeq > info.lastSeq
        ? { ...info, lastSeq: known.lastSeq, updatedAt: known.updatedAt }
        : info;
    if (!known || !isSame(known, next)) this.#put(next);
    if (known && known.status !== next.status && STOPPED.has(next.status)) {
      this.refresh(info.id, GONE_MS);
    }
  }

  /** Ask the server. */
  refresh(id: string, delayMs = 0): void {
    if (this.#due.has(id)) return;
    this.#due.set(
      id,
      setTimeout(() => {
        this.#due.delete(id);
        this.#queue.add(id);
        this.#ask();
      }, delayMs),
    );
  }

  /** Read the whole list, page by page; what is not in it any more is gone. */
  async list(signal: AbortSignal): Promise<void> {
    this.#listing?.abort();
    const listing = new AbortController();
    this.#listing = listing;
    const gone = new Set(this.#known.keys());
    try {
      let cursor: string | undefined;
      do {
        const page = await this.#client.sessions.list({
          limit: PAGE,
          signal: AbortSignal.any([signal, listing.signal]),
          ...(cursor ? { cursor } : {}),
        });
        for (const info of page.sessions) {
          gone.delete(info.id);
          this.tell(info);
        }
        cursor = page.nextCursor ?? undefined;
      } while (cursor);
      // One that was made meanwhile is behind no page: it may be new and yet not in the list that was begun before.
      for (const id of gone) this.refresh(id);
      this.isComplete = true;
      this.#changed(null);
    } catch {
      // The feed tells of a server that is gone, and the list is read again when it is back.
    }
  }

  #ask(): void {
    for (const id of this.#queue) {
      if (this.#asking.size >= PARALLEL) return;
      if (this.#asking.has(id)) continue;
      this.#queue.delete(id);
      this.#asking.add(id);
      this.#client.sessions
        .get(id)
        .then(
          (info) => this.tell(info),
          (error: unknown) => {
            if (error instanceof ApiError && error.status === 404) this.#remove(id);
          },
        )
        .finally(() => {
          this.#asking.delete(id);
          this.#ask();
        });
    }
  }

  #takeQuiet(): void {
    clearTimeout(this.#quietTimer);
    this.#quietTimer = undefined;
    for (const [id, event] of this.#quiet) {
      const info = this.#known.get(id);
      const next = info && afterEvent(info, event);
      if (next !== undefined && next !== info) this.#put(next);
    }
    this.#quiet.clear();
  }

  #put(info: SessionInfo): void {
    if (this.#known.get(info.id)?.createdAt !== info.createdAt) this.#order = null;
    this.#known.set(info.id, info);
    this.#sessions = null;
    this.#changed(info.id);
  }

  #remove(id: string): void {
    if (!this.#known.delete(id)) return;
    this.#told.delete(id);
    this.#quiet.delete(id);
    this.#order = null;
    this.#sessions = null;
    this.#changed(id);
  }
}

const STOPPED: ReadonlySet<string> = new Set(['dormant', 'ended']);

function newestFirst(one: SessionInfo, other: SessionInfo): number {
  if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? 1 : -1;
  return one.id < other.id ? 1 : -1;
}
