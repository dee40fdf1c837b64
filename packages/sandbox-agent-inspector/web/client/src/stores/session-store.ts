/** One session: its events, and the transcript that they add up to. */

import type { Event, PromptAccepted, SessionInfo } from '../api/schema.ts';
import type { SandboxAgent } from '../client.ts';
import { ApiError } from '../errors.ts';
import { type ContentBlock, emptyTranscript, type Transcript } from '../fold/model.ts';
import { TranscriptFolder } from '../fold/transcript.ts';
import { LAST } from '../resources/sessions.ts';
import { EventLog } from './event-log.ts';
import { eventsAfter, historyBefore, openFrom } from './history.ts';
import { Outbox, type OutboxPrompt, type SendPromptOptions } from './outbox.ts';
import { type Listener, Publisher, whenIdle, yieldToOthers } from './publisher.ts';

export interface SessionSnapshot {
  readonly id: string;
  /** `missing`: there is no such session. `failed`: it could not be read; `reload` tries again. */
  readonly state: 'loading' | 'ready' | 'missing' | 'failed';
  readonly problem: ApiError | Error | null;
  readonly info: SessionInfo | null;
  /** Turns and items that did not change keep their identity. */
  readonly transcript: Transcript;
  /** The history is loaded to its beginning. */
  readonly complete: boolean;
  readonly outbox: readonly OutboxPrompt[];
}

/** What a session needs of its server. */
export interface SessionHost {
  readonly client: SandboxAgent;
  info(id: string): SessionInfo | null;
  tell(info: SessionInfo): void;
  /** Resolves when the server can be reached. */
  connected(signal?: AbortSignal): Promise<void>;
  /** Resolves when the feed brings all of this session. */
  followed(id: string, signal: AbortSignal): Promise<void>;
}

const FIRST_EVENTS = 200;
const MORE_EVENTS = 500;
const FILL_EVENTS = 2000;
/** A frame at 60 Hz has room for this beside its painting. */
const SLICE_MS = 8;

export class SessionStore {
  readonly id: string;
  /** What is loaded, for a timeline. */
  readonly events = new EventLog();
  readonly #host: SessionHost;
  readonly #outbox: Outbox;
  readonly #publisher = new Publisher(() => this.#publish());
  readonly #closing = new AbortController();
  #folder = new TranscriptFolder();
  #snapshot: SessionSnapshot;
  #state: SessionSnapshot['state'] = 'loading';
  #problem: ApiError | Error | null = null;
  /** Everything from it on is loaded; null: everything. */
  #from: number | null = LAST;
  /** What comes while history is read, to be taken in behind it. */
  #waiting: Event[] | null = [];
  #isFilling = false;
  #history: Promise<void> = Promise.resolve();

  constructor(id: string, host: SessionHost) {
    this.id = id;
    this.#host = host;
    this.#outbox = new Outbox(id, {
      client: host.client,
      connected: (signal) => host.connected(signal),
      changed: () => this.#publisher.schedule(),
    });
    this.#snapshot = {
      id,
      state: 'loading',
      problem: null,
      info: host.info(id),
      transcript: emptyTranscript(),
      complete: false,
      outbox: [],
    };
    this.#history = this.#load();
  }

  getSnapshot(): SessionSnapshot {
    return this.#snapshot;
  }

  subscribe(listener: Listener): () => void {
    const unsubscribe = this.#publisher.subscribe(listener);
    this.#fill();
    return unsubscribe;
  }

  get isWatched(): boolean {
    return this.#publisher.hasListeners;
  }

  /** Read some more of what was before. */
  loadEarlier(): Promise<void> {
    return this.#next(() => this.#extend(MORE_EVENTS));
  }

  /** Read until the event with this `seq` is there. */
  loadUntil(seq: number): Promise<void> {
    return this.#next(async () => {
      while (this.#state === 'ready' && this.#from !== null && this.#from > seq) {
        await this.#extend(FILL_EVENTS);
      }
    });
  }

  /** Read it anew, after it failed. */
  reload(): Promise<void> {
    return this.#next(() => this.#load());
  }

  /** Resolves when the server has accepted it; it is in the snapshot's `outbox` until the transcript has it. */
  send(
    content: string | readonly ContentBlock[],
    options: SendPromptOptions = {},
  ): Promise<PromptAccepted> {
    return this.#outbox.send(content, options);
  }

  /** The feed brought something. */
  receive(events: readonly Event[]): void {
    if (this.#waiting) {
      this.#waiting.push(...events);
      return;
    }
    this.#take(events);
  }

  /** The feed began anew: what it may have left out is read. */
  catchUp(): Promise<void> {
    this.#waiting ??= [];
    return this.#next(async () => {
      // A reading that was under way has not to be done again, but what came behind it is not all there.
      if (this.#state !== 'ready') return this.#load();
      this.#waiting ??= [];
      const events = await eventsAfter(this.#host.client, this.id, this.#folder.seq, this.#signal);
      this.#take(events);
      this.#takeWaiting();
    });
  }

  /** What the server says of the session is another. */
  infoChanged(): void {
    const wasKnown = this.#snapshot.info !== null;
    if (this.#state === 'ready' && wasKnown && this.#host.info(this.id) === null) {
      this.#state = 'missing';
    }
    this.#publisher.schedule();
  }

  close(): void {
    this.#closing.abort();
  }

  get #signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** One reading at a time, in the order in which they were asked for. */
  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#history.then(work);
    this.#history = done.catch((error: unknown) => this.#failed(error));
    return done;
  }

  async #load(): Promise<void> {
    this.#waiting ??= [];
    this.#state = 'loading';
    this.#problem = null;
    this.#publisher.schedule();
    try {
      await this.#host.followed(this.id, this.#signal);
      await Promise.all([this.#loadInfo(), this.#loadEnd()]);
      this.#state = 'ready';
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#publisher.schedule();
    this.#fill();
  }

  async #loadInfo(): Promise<void> {
    const info = await this.#host.client.sessions.get(this.id, { signal: this.#signal });
    this.#host.tell(info);
  }

  async #loadEnd(): Promise<void> {
    const { client } = this.#host;
    const part = await historyBefore(client, this.id, LAST, FIRST_EVENTS, this.#signal);
    const open = openFrom(part.events);
    const rest = await eventsAfter(client, this.id, open, this.#signal);
    this.events.clear();
    this.#folder = new TranscriptFolder();
    this.#from = part.from;
    this.#take(part.events.filter((event) => event.seq <= open));
    this.#take(rest);
    this.#takeWaiting();
  }

  #take(events: readonly Event[]): void {
    for (const event of events) {
      if (event.seq <= this.#folder.seq) continue;
      this.events.append(event);
      this.#folder.apply(event);
      if (TURN_BEGINS.has(event.type)) this.#outbox.seen(event.turnId);
    }
    if (events.length > 0) this.#publisher.schedule();
  }

  #takeWaiting(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    this.#take(waiting);
  }

  /** Read what was before, while nobody needs the thread, as long as somebody looks. */
  #fill(): void {
    if (this.#isFilling || this.#state !== 'ready' || this.#from === null) return;
    this.#isFilling = true;
    const next = async (): Promise<void> => {
      await whenIdle();
      if (this.#signal.aborted || !this.isWatched || this.#from === null) return;
      // As much again as there is, because each part means to fold all that is there.
      await this.#next(() => this.#extend(Math.max(FILL_EVENTS, this.events.length)));
      await next();
    };
    next()
      .catch(() => {})
      .finally(() => {
        this.#isFilling = false;
      });
  }

  async #extend(wanted: number): Promise<void> {
    if (this.#from === null || this.#state !== 'ready') return;
    const { client } = this.#host;
    const part = await historyBefore(client, this.id, this.#from, wanted, this.#signal);
    this.events.prepend(part.events);
    await this.#foldAgain();
    this.#from = part.from;
    this.#publisher.schedule();
  }

  /** Fold all that is loaded, in slices; what happens meanwhile is folded into both. */
  async #foldAgain(): Promise<void> {
    const folder = new TranscriptFolder();
    await inSlices(this.#folding(folder));
    await inSlices(folder.adopting(this.#folder.transcript()));
    // What has come meanwhile; it has no room for more.
    for (const _step of this.#folding(folder)) {
      // Folded in the iteration.
    }
    folder.applyOpen(this.events.openDeltas());
    this.#folder = folder;
  }

  /** A step for each event that the folder has not seen. */
  *#folding(folder: TranscriptFolder): Generator<void> {
    for (let index = this.events.indexOf(folder.seq + 1); index < this.events.length; index += 1) {
      const event = this.events.at(index);
      if (event) folder.apply(event);
      yield;
    }
  }

  #failed(error: unknown): void {
    if (this.#signal.aborted) return;
    if (this.#state === 'ready') return;
    this.#state = error instanceof ApiError && error.status === 404 ? 'missing' : 'failed';
    this.#problem = error instanceof Error ? error : new Error(String(error));
    this.#publisher.schedule();
  }

  #publish(): void {
    this.#snapshot = {
      id: this.id,
      state: this.#state,
      problem: this.#problem,
      info: this.#host.info(this.id),
      transcript: this.#folder.transcript(),
      complete: this.#state === 'ready' && this.#from === null,
      outbox: this.#outbox.prompts,
    };
  }
}

/** Do all steps, and let others have the thread in between. */
async function inSlices(steps: Iterable<void>): Promise<void> {
  let until = performance.now() + SLICE_MS;
  for (const _step of steps) {
    if (performance.now() < until) continue;
    await yieldToOthers();
    until = performance.now() + SLICE_MS;
  }
}

const TURN_BEGINS: ReadonlySet<Event['type']> = new Set([
  'turn.started',
  'turn.queued',
  'turn.steered',
]);
