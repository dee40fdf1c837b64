/** Requests to one server: the token, JSON, problems, and a record of each for whoever wants to see them. */

import { ApiError, NetworkError } from '../errors.ts';

export type QueryValue = string | number | boolean | readonly string[] | null | undefined;
export type Query = Readonly<Record<string, QueryValue>>;

/** A request that was made: what a request log shows. Never has the token. */
export interface RequestRecord {
  readonly id: number;
  readonly method: string;
  /** With its query, below the server's URL. */
  readonly path: string;
  readonly startedAt: number;
  /** Of the JSON body, if there was one. */
  readonly body: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent while it is under way; 0 when there was no answer. */
  readonly status?: number;
  readonly durationMs?: number;
  readonly error?: { readonly code: string; readonly message: string };
  /** It goes on: events, logs. Its duration is that of its beginning. */
  readonly isStream: boolean;
}

export interface SendOptions {
  query?: Query;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  body?: BodyInit;
  /** What is undefined is not sent. */
  headers?: Readonly<Record<string, string | undefined>>;
  signal?: AbortSignal;
  accept?: string;
}

export interface TransportOptions {
  url: string;
  token?: string | null;
  fetch?: typeof fetch;
  onRequest?(record: RequestRecord): void;
}

const CLOCK_MS = 5000;

export class Transport {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: string | null;
  /** Requests go through the page's own `fetch`, and a WebSocket would go to the same server. */
  readonly isDirect: boolean;
  readonly #fetch: typeof fetch;
  readonly #onRequest: ((record: RequestRecord) => void) | undefined;
  #requests = 0;
  #clockOffsetMs = 0;

  constructor(options: TransportOptions) {
    this.url = options.url.replace(/\/+$/, '');
    this.token = options.token || null;
    this.isDirect = options.fetch === undefined;
    // Called without a receiver: the one of a window is refused with another.
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#onRequest = options.onRequest;
  }

  /** See `SandboxAgent.clockOffsetMs`. */
  get clockOffsetMs(): number {
    return this.#clockOffsetMs;
  }

  /** The answer's JSON. */
  async json<T>(method: string, path: string, options: SendOptions = {}): Promise<T> {
    const response = await this.send(method, path, { accept: 'application/json', ...options });
    try {
      return (await response.json()) as T;
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new NetworkError(this.url, error);
    }
  }

  /** For answers without a body. */
  async done(method: string, path: string, options: SendOptions = {}): Promise<void> {
    const response = await this.send(method, path, options);
    await response.body?.cancel();
  }

  /**
   * The answer, once its headers are there.
   *
   * Throws ApiError when the server refused, NetworkError when it did not answer.
   */
  async send(method: string, path: string, options: SendOptions = {}): Promise<Response> {
    const target = path + queryOf(options.query);
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      if (value !== undefined) headers[name] = value;
    }
    if (options.accept) headers.accept = options.accept;
    const hasJson = options.json !== undefined;
    if (hasJson) headers['content-type'] = 'application/json';
    const body = hasJson ? JSON.stringify(options.json) : options.body;
    const report = this.#record(method, target, headers, hasJson ? String(body) : null);
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    let response: Response;
    try {
      response = await this.#fetch(this.url + target, {
        method,
        headers,
        // A server for everybody's sandboxes may be on another origin: no cookies, no cached answers.
        credentials: 'omit',
        cache: 'no-store',
        ...(body === undefined ? {} : { body }),
        ...(options.signal ? { signal: options.signal } : {}),
      });
    } catch (error) {
      report({ status: 0, error: { code: 'network_error', message: String(error) } });
      if (options.signal?.aborted) throw error;
      throw new NetworkError(this.url, error);
    }
    this.#readClock(response);
    if (response.ok) {
      report({ status: response.status });
      return response;
    }
    const error = await ApiError.of(response);
    report({ status: response.status, error: { code: error.code, message: error.message } });
    throw error;
  }

  /** What an answer says is to the second, and was under way: less than a few seconds tells nothing. */
  #readClock(response: Response): void {
    const offset = Date.parse(response.headers.get('date') ?? '') - Date.now();
    if (Number.isFinite(offset)) this.#clockOffsetMs = Math.abs(offset) > CLOCK_MS ? offset : 0;
  }

  /** Where a WebSocket of this path is. */
  socketUrl(path: string, query?: Query): string {
    return this.url.replace(/^http/, 'ws') + path + queryOf(query);
  }

  /** What a WebSocket offers as its subprotocols: it cannot send a header. */
  socketProtocols(): string[] {
    if (!this.token) return ['sandbox-agent'];
    // A subprotocol has no parentheses, which `encodeURIComponent` leaves as they are.
    const token = encodeURIComponent(this.token).replace(/[()]/g, (one) =>
      one === '(' ? '%28' : '%29',
    );
    return ['sandbox-agent', `bearer.${token}`];
  }

  #record(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: string | null,
  ): (end: Pick<RequestRecord, 'status' | 'error'>) => void {
    const notify = this.#onRequest;
    if (!notify) return () => {};
    const startedAt = Date.now();
    const begun = performance.now();
    this.#requests += 1;
    const record: RequestRecord = {
      id: this.#requests,
      method,
      path,
      startedAt,
      body,
      headers: { ...headers },
      isStream: headers.accept === 'text/event-stream',
    };
    notify(record);
    return (end) => notify({ ...record, ...end, durationMs: performance.now() - begun });
  }
}

/** A query with its question mark, or nothing. What is null or undefined is left out; lists are joined by commas. */
export function queryOf(query: Query | undefined): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === null || value === undefined) continue;
    const text = Array.isArray(value) ? value.join(',') : String(value);
    search.set(name, text);
  }
  const text = search.toString();
  return text && `?${text}`;
}

/** A part of a path: ids are foreign texts. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}
