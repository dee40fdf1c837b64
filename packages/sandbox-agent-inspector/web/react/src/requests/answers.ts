import {
  type AnswerRequest,
  ApiError,
  isUnanswered,
  type Resolution,
  type SandboxAgent,
} from 'sandbox-agent-client';
import { fromResolution, isRecord, type RequestOutcome } from './model.ts';

export type AnswerState =
  | { phase: 'idle' }
  /** On its way. `waits`: there is no connection; it is sent once there is one. */
  | { phase: 'sending'; body: AnswerRequest; waits: boolean; canWithdraw: boolean }
  /** `isMine`: it was decided by this page's answer. */
  | { phase: 'resolved'; outcome: RequestOutcome; isMine: boolean }
  | { phase: 'failed'; problem: Error; body: AnswerRequest }
  /** The server knows no such request any more. */
  | { phase: 'gone' };

export const IDLE: AnswerState = { phase: 'idle' };

type Send = (sessionId: string, requestId: string, body: AnswerRequest) => Promise<Resolution>;

interface Open {
  sessionId: string;
  requestId: string;
  body: AnswerRequest;
  /** It has been sent, and nobody knows whether it arrived. */
  isTold: boolean;
}

/**
 * The answers of a page. A request is answered once, wherever on the page it is shown; what cannot be sent waits for the
 * connection and is then sent again: the server takes the first answer only, so that twice does no harm.
 */
export class AnswerStore {
  readonly #send: Send;
  readonly #states = new Map<string, AnswerState>();
  readonly #open = new Map<string, Open>();
  readonly #listeners = new Set<() => void>();
  #isConnected = true;

  constructor(send: Send) {
    this.#send = send;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  state(sessionId: string, requestId: string): AnswerState {
    return this.#states.get(key(sessionId, requestId)) ?? IDLE;
  }

  /** Resolves when nothing is under way any more; does nothing for a request that is being answered. */
  async answer(sessionId: string, requestId: string, body: AnswerRequest): Promise<AnswerState> {
    const id = key(sessionId, requestId);
    const { phase } = this.state(sessionId, requestId);
    if (phase !== 'idle' && phase !== 'failed') return this.state(sessionId, requestId);
    this.#open.set(id, { sessionId, requestId, body, isTold: false });
    if (!this.#isConnected) {
      this.#set(id, { phase: 'sending', body, waits: true, canWithdraw: true });
      return this.state(sessionId, requestId);
    }
    await this.#tell(id);
    return this.state(sessionId, requestId);
  }

  /** Take back an answer that waits and has never been sent. */
  withdraw(sessionId: string, requestId: string): void {
    const id = key(sessionId, requestId);
    if (this.#open.get(id)?.isTold !== false) return;
    this.#open.delete(id);
    this.#set(id, IDLE);
  }

  setConnected(isConnected: boolean): void {
    const isBack = isConnected && !this.#isConnected;
    this.#isConnected = isConnected;
    if (!isBack) return;
    for (const [id] of this.#open) {
      const state = this.#states.get(id);
      if (state?.phase === 'sending' && state.waits) void this.#tell(id);
    }
  }

  async #tell(id: string): Promise<void> {
    const open = this.#open.get(id);
    if (!open) return;
    const { sessionId, requestId, body, isTold } = open;
    open.isTold = true;
    // Trying again is still waiting, for who looks.
    this.#set(id, { phase: 'sending', body, waits: isTold, canWithdraw: false });
    try {
      const resolution = await this.#send(sessionId, requestId, body);
      this.#close(id, { phase: 'resolved', outcome: fromResolution(resolution), isMine: true });
    } catch (error) {
      this.#failed(id, body, error, isTold);
    }
  }

  #failed(id: string, body: AnswerRequest, error: unknown, isTold: boolean): void {
    const resolution = resolutionOf(error);
    if (resolution) {
      // A second telling is refused with our own first one.
      const isMine = isTold && isSame(body, resolution);
      this.#close(id, { phase: 'resolved', outcome: fromResolution(resolution), isMine });
    } else if (isUnanswered(error) || (error instanceof ApiError && mayPass(error))) {
      this.#set(id, { phase: 'sending', body, waits: true, canWithdraw: false });
      if (this.#isConnected) this.#again(id);
    } else if (error instanceof ApiError && error.status === 404) {
      this.#close(id, { phase: 'gone' });
    } else {
      const problem = error instanceof Error ? error : new Error(String(error));
      this.#close(id, { phase: 'failed', problem, body });
    }
  }

  /** The stream may not have noticed that the connection was lost for a moment. */
  #again(id: string): void {
    setTimeout(() => {
      const state = this.#states.get(id);
      if (this.#isConnected && state?.phase === 'sending' && state.waits) void this.#tell(id);
    }, RETRY_MS);
  }

  #close(id: string, state: AnswerState): void {
    this.#open.delete(id);
    this.#set(id, state);
  }

  #set(id: string, state: AnswerState): void {
    if (state.phase === 'idle') this.#states.delete(id);
    else this.#states.set(id, state);
    for (const listener of this.#listeners) listener();
  }
}

const RETRY_MS = 1500;

const stores = new WeakMap<SandboxAgent, AnswerStore>();

/** The one store of a client. */
export function answersOf(client: SandboxAgent): AnswerStore {
  const known = stores.get(client);
  if (known) return known;
  const made = new AnswerStore((sessionId, requestId, body) =>
    client.requests.answer(sessionId, requestId, body),
  );
  stores.set(client, made);
  return made;
}

function key(sessionId: string, requestId: string): string {
  return `${sessionId}\n${requestId}`;
}

function resolutionOf(error: unknown): Resolution | null {
  if (!(error instanceof ApiError) || error.status !== 409) return null;
  const told = isRecord(error.details) ? error.details.resolution : null;
  return isRecord(told) && typeof told.outcome === 'string' ? (told as Resolution) : null;
}

function mayPass(error: ApiError): boolean {
  return error.status === 401 || error.status === 503;
}

function isSame(body: AnswerRequest, resolution: Resolution): boolean {
  if ((body.actor ?? null) !== (resolution.actor ?? null)) return false;
  return body.optionId == null || body.optionId === resolution.optionId;
}
