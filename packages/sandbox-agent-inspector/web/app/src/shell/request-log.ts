/** What this page has asked its server, the latest thousand: for the log on the server's page. */
import type { RequestRecord } from 'sandbox-agent-client';

const MOST_KEPT = 1000;

class RequestLog {
  #records: readonly RequestRecord[] = [];
  readonly #listeners = new Set<() => void>();
  #isTold = false;

  /** A record comes when a request begins, and again when it was answered. */
  add(record: RequestRecord): void {
    const index = this.#records.findLastIndex((each) => each.id === record.id);
    this.#records =
      index < 0
        ? [...this.#records.slice(1 - MOST_KEPT), record]
        : this.#records.with(index, record);
    if (!this.#isTold) {
      this.#isTold = true;
      queueMicrotask(() => {
        this.#isTold = false;
        for (const listener of this.#listeners) {
          listener();
        }
      });
    }
  }

  clear(): void {
    this.#records = [];
    for (const listener of this.#listeners) {
      listener();
    }
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): readonly RequestRecord[] => this.#records;
}

export const requestLog = new RequestLog();
