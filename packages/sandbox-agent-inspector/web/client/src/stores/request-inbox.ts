/** What waits for a person in all sessions: read as a list, kept true by events. */

import type { Event, RequestInfo } from '../api/schema.ts';
import type { SandboxAgent } from '../client.ts';
import { isSame } from '../same.ts';

const SOON_MS = 30;
const RETRY_MS = 3000;
const PAGE = 200;

export class RequestInbox {
  readonly #client: SandboxAgent;
  readonly #changed: () => void;
  #requests: readonly RequestInfo[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReading = false;
  #isStale = false;
  #isStopped = false;
  /** Answered since the reading began, which may still have them. */
  readonly #resolved = new Set<string>();

  constructor(client: SandboxAgent, changed: () => void) {
    this.#client = client;
    this.#changed = changed;
  }

  get requests(): readonly RequestInfo[] {
    return this.#requests;
  }

  apply(event: Event): void {
    switch (event.type) {
      case 'permission.requested':
      case 'question.requested':
      case 'hook.requested':
      case 'host_tool.called':
        this.refresh(SOON_MS);
        break;
      case 'permission.resolved':
      case 'question.resolved':
      case 'hook.resolved':
      case 'host_tool.resolved':
        this.#remove(event.sessionId, event.data.requestId);
    }
  }

  /** Read it anew. */
  refresh(delayMs = 0): void {
    this.#isStopped = false;
    if (this.#isReading) {
      this.#isStale = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(), delayMs);
  }

  /** Ask no more until the next `refresh`: nobody follows the server. */
  stop(): void {
    this.#isStopped = true;
    this.#isStale = false;
    clearTimeout(this.#timer);
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    this.#isStale = false;
    this.#resolved.clear();
    try {
      const found: RequestInfo[] = [];
      let cursor: string | undefined;
      do {
        const query = { limit: PAGE, ...(cursor ? { cursor } : {}) };
        const page = await this.#client.requests.list(query);
        found.push(...page.requests);
        cursor = page.nextCursor ?? undefined;
      } while (cursor);
      this.#set(found.filter((one) => !this.#resolved.has(keyOf(one.sessionId, one.id))));
    } catch {
      // Gone with the server, whose feed tells of it; or refused for a moment.
      if (!this.#isStopped) this.#timer = setTimeout(() => this.refresh(), RETRY_MS);
    } finally {
      this.#isReading = false;
      if (this.#isStale) this.refresh(SOON_MS);
    }
  }

  #remove(sessionId: string, requestId: string): void {
    const key = keyOf(sessionId, requestId);
    this.#resolved.add(key);
    const rest = this.#requests.filter((one) => keyOf(one.sessionId, one.id) !== key);
    if (rest.length < this.#requests.length) this.#set(rest);
  }

  #set(found: readonly RequestInfo[]): void {
    const known = new Map(this.#requests.map((one) => [keyOf(one.sessionId, one.id), one]));
    const next = found.map((one) => {
      const before = known.get(keyOf(one.sessionId, one.id));
      return before && isSame(before, one) ? before : one;
    });
    if (isUnchanged(next, this.#requests)) return;
    this.#requests = next;
    this.#changed();
  }
}

function isUnchanged(one: readonly RequestInfo[], other: readonly RequestInfo[]): boolean {
  return one.length === other.length && one.every((request, index) => request === other[index]);
}

function keyOf(sessionId: string | null | undefined, requestId: string): string {
  return `${sessionId ?? ''} ${requestId}`;
}
