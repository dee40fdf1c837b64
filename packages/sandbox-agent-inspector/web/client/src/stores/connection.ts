/** How the connection to the server is, in the words that a person is told. */

import { ApiError } from '../errors.ts';

export interface Connection {
  /** `offline`: the machine has no network. `unauthorized`: the token is not, or no longer, valid. */
  readonly state: 'connecting' | 'live' | 'reconnecting' | 'offline' | 'unauthorized';
  /** When that began. */
  readonly since: number;
  /** How often it was tried, since it was lost. */
  readonly attempt: number;
  readonly reason?: string;
  /** After a reconnection: how many events had happened meanwhile. */
  readonly caughtUp?: number;
}

export class ConnectionState {
  readonly #changed: () => void;
  #current: Connection = { state: 'connecting', since: Date.now(), attempt: 0 };
  #waiting: (() => void)[] = [];
  /** Checkpoints since it is connected: behind the second one it has caught up. */
  #checkpoints = 0;
  #hasBeenLive = false;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get current(): Connection {
    return this.#current;
  }

  connecting(): void {
    if (this.#current.state !== 'live') this.#set({ state: 'connecting', attempt: 0 });
  }

  live(): void {
    this.#checkpoints = 0;
    this.#set({
      state: 'live',
      attempt: 0,
      ...(this.#hasBeenLive ? { caughtUp: 0 } : {}),
    });
    this.#hasBeenLive = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** The same place with another query: nobody was without it. */
  restarted(): void {
    if (this.#current.state !== 'live') this.live();
  }

  lost(error: Error | null, attempt: number): void {
    const state = isOffline() ? 'offline' : this.#hasBeenLive ? 'reconnecting' : 'connecting';
    const isSince = state === this.#current.state || this.#current.state === 'reconnecting';
    this.#set({
      state,
      attempt,
      ...(isSince ? { since: this.#current.since } : {}),
      ...(error ? { reason: error.message } : {}),
    });
  }

  failed(error: unknown): void {
    const isRefused = error instanceof ApiError && (error.status === 401 || error.status === 403);
    this.#set({
      state: isRefused ? 'unauthorized' : 'reconnecting',
      attempt: this.#current.attempt,
      reason: error instanceof Error ? error.message : String(error),
    });
  }

  networkChanged(): void {
    if (this.#current.state === 'offline' && !isOffline()) {
      this.#set({ ...this.#current, state: 'reconnecting' });
    }
  }

  brought(events: number): void {
    const { state, caughtUp } = this.#current;
    if (state !== 'live' || caughtUp === undefined || this.#checkpoints > 1) return;
    this.#set({ ...this.#current, caughtUp: caughtUp + events });
  }

  checkpoint(): void {
    this.#checkpoints += 1;
  }

  /** Resolves when it is live; at once when it is. */
  connected(signal?: AbortSignal): Promise<void> {
    if (this.#current.state === 'live') return Promise.resolve();
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      this.#waiting.push(resolve);
    });
  }

  #set(next: Omit<Connection, 'since'> & { since?: number }): void {
    this.#current = { since: Date.now(), ...next };
    this.#changed();
  }
}

function isOffline(): boolean {
  return typeof navigator !== 'undefined' && 'onLine' in navigator && navigator.onLine === false;
}
