import type {
  CancelRequest,
  CancelResult,
  CompactRequest,
  CreateSession,
  Event,
  EventPage,
  ForkSession,
  FrameEntry,
  NativeRequest,
  NativeResult,
  operations,
  PatchSession,
  PromptAccepted,
  PromptRequest,
  PromptResult,
  ResumeSession,
  ReviewRequest,
  RewindRequest,
  RewindResult,
  SessionDiff,
  SessionInfo,
  SessionList,
  SteerRequest,
  SteerResult,
  TurnInfo,
  TurnList,
} from '../api/schema.ts';
import type { Transcript } from '../fold/model.ts';
import { readSse } from '../http/sse.ts';
import { segment, type Transport } from '../http/transport.ts';

type ListQuery = NonNullable<operations['get_sessions']['parameters']['query']>;

/** Which sessions; `metadata` by its members. */
export interface SessionQuery extends Pick<ListQuery, 'limit' | 'cursor' | 'title' | 'q'> {
  agent?: string | readonly string[];
  status?: SessionInfo['status'] | readonly SessionInfo['status'][];
  metadata?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

export interface EventQuery {
  /** Behind this event. */
  after?: number;
  /** The last in front of this event; `LAST` for the end. A page then has a `previousCursor`. */
  before?: number;
  view?: 'universal' | 'frames';
  deltas?: boolean;
  limit?: number;
  signal?: AbortSignal;
}

/** A request that may be sent again without being carried out again. */
export interface Idempotent {
  idempotencyKey?: string;
  signal?: AbortSignal;
}

/** A page of one of the views: `Event` of the universal one, `FrameEntry` of that of frames. */
export interface PageOf<E> extends Pick<EventPage, 'nextCursor' | 'hasMore'> {
  events: E[];
  /** Of a page that was asked for with `before`: the `before` of the one in front of it; null: this is the first. */
  previousCursor?: number | null;
}

/** Greater than the `seq` of any event. */
export const LAST = 2 ** 40 - 1;

export class Sessions {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** A page of sessions, newest first; a page with a filter may have fewer than `limit` and still a `nextCursor`. */
  list({ metadata, signal, ...query }: SessionQuery = {}): Promise<SessionList> {
    const members = Object.entries(metadata ?? {}).map(
      ([key, value]) => [`metadata.${key}`, value] as const,
    );
    return this.#transport.json('GET', '/v1/sessions', {
      query: { ...query, ...Object.fromEntries(members) },
      signal,
    });
  }

  create(body: CreateSession, options: Idempotent = {}): Promise<SessionInfo> {
    return this.#post('/v1/sessions', body, options);
  }

  get(id: string, options: { signal?: AbortSignal } = {}): Promise<SessionInfo> {
    return this.#transport.json('GET', at(id), options);
  }

  patch(id: string, body: PatchSession): Promise<SessionInfo> {
    return this.#transport.json('PATCH', at(id), { json: body });
  }

  /** Stop its agent. The log stays, unless `purge` removes it. */
  end(id: string, { purge }: { purge?: boolean } = {}): Promise<void> {
    return this.#transport.done('DELETE', at(id), { query: { purge } });
  }

  resume(id: string, body: ResumeSession = {}): Promise<SessionInfo> {
    return this.#transport.json('POST', at(id, '/resume'), { json: body });
  }

  /** Accepted, not answered: what comes of it are events. */
  prompt(id: string, body: PromptRequest, options: Idempotent = {}): Promise<PromptAccepted> {
    return this.#post(at(id, '/prompt'), body, options);
  }

  /** A prompt, and the wait for the end of its turn. */
  run(id: string, body: PromptRequest, options: Idempotent = {}): Promise<PromptResult> {
    return this.#post(at(id, '/prompt?wait=true'), body, options);
  }

  cancel(id: string, body: CancelRequest = {}, { wait }: { wait?: boolean } = {}) {
    return this.#transport.json<CancelResult>('POST', at(id, '/cancel'), {
      json: body,
      query: { wait },
    });
  }

  steer(id: string, body: SteerRequest, options: Idempotent = {}): Promise<SteerResult> {
    return this.#post(at(id, '/steer'), body, options);
  }

  compact(id: string, body: CompactRequest = {}, options: Idempotent = {}) {
    return this.#post<PromptAccepted>(at(id, '/compact'), body, options);
  }

  review(id: string, body: ReviewRequest = {}, options: Idempotent = {}) {
    return this.#post<PromptAccepted>(at(id, '/review'), body, options);
  }

  fork(id: string, body: ForkSession = {}, options: Idempotent = {}): Promise<SessionInfo> {
    return this.#post(at(id, '/fork'), body, options);
  }

  rewind(id: string, body: RewindRequest = {}, options: Idempotent = {}): Promise<RewindResult> {
    return this.#post(at(id, '/rewind'), body, options);
  }

  /** A request of ACP to the agent. Scope `admin`. */
  request(id: string, body: NativeRequest, options: Idempotent = {}): Promise<NativeResult> {
    return this.#post(at(id, '/request'), body, options);
  }

  /** A request of the agent's own protocol. Scope `admin`. */
  native(id: string, body: NativeRequest, options: Idempotent = {}): Promise<NativeResult> {
    return this.#post(at(id, '/native'), body, options);
  }

  /** A page of its events. */
  events(id: string, query?: EventQuery & { view?: 'universal' }): Promise<PageOf<Event>>;
  events(id: string, query: EventQuery & { view: 'frames' }): Promise<PageOf<FrameEntry>>;
  events(id: string, { signal, ...query }: EventQuery = {}): Promise<PageOf<never>> {
    return this.#transport.json('GET', at(id, '/events'), { query: { ...query }, signal });
  }

  /**
   * Its events from a cursor on, and then the new ones as they happen. Of one session: for many, follow the server's
   * feed, for browsers allow six connections.
   */
  async *follow(
    id: string,
    { signal, ...query }: EventQuery & { view?: 'universal' } = {},
  ): AsyncGenerator<Event, void, undefined> {
    const response = await this.#transport.send('GET', at(id, '/events'), {
      query: { ...query },
      accept: 'text/event-stream',
      signal,
    });
    for await (const messages of readSse(response, { signal })) {
      for (const message of messages) yield JSON.parse(message.data) as Event;
    }
  }

  /** Where its turns are: a page of an index that is made without reading what is between them. */
  turns(
    id: string,
    query: NonNullable<operations['get_sessions_session_id_turns']['parameters']['query']> = {},
  ): Promise<TurnList> {
    return this.#transport.json('GET', at(id, '/turns'), { query });
  }

  turn(id: string, turnId: string): Promise<TurnInfo> {
    return this.#transport.json('GET', at(id, `/turns/${segment(turnId)}`));
  }

  /** What became of the files: since the session began, or in one turn. */
  diff(id: string, query: { turn?: string; signal?: AbortSignal } = {}): Promise<SessionDiff> {
    const { signal, turn } = query;
    return this.#transport.json('GET', at(id, '/diff'), { query: { turn }, signal });
  }

  /** The log folded by the server. */
  transcript(id: string): Promise<Transcript> {
    return this.#transport.json('GET', at(id, '/transcript'));
  }

  #post<T>(path: string, body: object, { idempotencyKey, signal }: Idempotent): Promise<T> {
    const headers = { 'Idempotency-Key': idempotencyKey };
    return this.#transport.json('POST', path, { json: body, headers, signal });
  }
}

function at(id: string, rest = ''): string {
  return `/v1/sessions/${segment(id)}${rest}`;
}
