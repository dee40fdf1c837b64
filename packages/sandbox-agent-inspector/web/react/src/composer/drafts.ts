/** What is kept of a text that has not been sent: in the browser's storage, or in memory where there is none. */
export interface DraftStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

const PREFIX = 'sandbox-agent:draft:';

/**
 * Drafts by server and session. Each keystroke is written at once, so that neither a reload nor a lost login takes it;
 * other tabs are told of it by the browser and follow.
 */
export class DraftStore {
  readonly #storage: DraftStorage | null;
  readonly #server: string;
  readonly #texts = new Map<string, string>();
  readonly #listeners = new Set<() => void>();

  constructor(server: string, storage: DraftStorage | null) {
    this.#server = server;
    this.#storage = storage;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  get(sessionId: string): string {
    const known = this.#texts.get(sessionId);
    if (known !== undefined) return known;
    const stored = this.#attempt((storage) => storage.getItem(this.#key(sessionId))) ?? '';
    this.#texts.set(sessionId, stored);
    return stored;
  }

  set(sessionId: string, text: string): void {
    if (this.get(sessionId) === text) return;
    this.#texts.set(sessionId, text);
    const key = this.#key(sessionId);
    this.#attempt((storage) => (text ? storage.setItem(key, text) : storage.removeItem(key)));
    this.#tell();
  }

  /** Forget what was sent: what was written behind it meanwhile stays, and so does another text. */
  sent(sessionId: string, text: string): void {
    const now = this.get(sessionId);
    if (now.startsWith(text)) this.set(sessionId, now.slice(text.length).trimStart());
  }

  /** What another tab has written, as the browser's `storage` event tells it. */
  changedElsewhere(event: { key: string | null; newValue: string | null }): void {
    if (event.key === null) {
      this.#texts.clear();
      this.#tell();
      return;
    }
    const prefix = this.#key('');
    if (!event.key.startsWith(prefix)) return;
    this.#texts.set(event.key.slice(prefix.length), event.newValue ?? '');
    this.#tell();
  }

  #key(sessionId: string): string {
    return `${PREFIX}${this.#server}:${sessionId}`;
  }

  /** A full or forbidden storage takes nothing away: the draft is still in memory. */
  #attempt<T>(act: (storage: DraftStorage) => T): T | null {
    try {
      return this.#storage ? act(this.#storage) : null;
    } catch {
      return null;
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
