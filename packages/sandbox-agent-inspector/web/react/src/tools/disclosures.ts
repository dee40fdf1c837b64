/** What is open and what is closed, by the id of the item: rows that leave the page come back as they were. */
import { useCallback, useSyncExternalStore } from 'react';

/** Of one page. What a person chose is kept in `storage`, so that it outlives a reload. */
export class Disclosures {
  readonly #open = new Map<string, boolean>();
  /** Opened by itself, while it ran: it stays so when it ends. */
  readonly #kept = new Set<string>();
  readonly #listeners = new Set<() => void>();
  readonly #storage: Pick<Storage, 'getItem' | 'setItem'> | null;
  readonly #key: string;

  static readonly MAX = 2000;

  constructor(storage: Pick<Storage, 'getItem' | 'setItem'> | null = null, key = 'disclosures') {
    this.#storage = storage;
    this.#key = key;
    for (const [id, open] of this.#read()) this.#open.set(id, open);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** What the person chose; undefined while they did not. */
  chosen(id: string): boolean | undefined {
    return this.#open.get(id);
  }

  isOpen(id: string, isOpenByDefault: boolean): boolean {
    return this.#open.get(id) ?? (isOpenByDefault || this.#kept.has(id));
  }

  /** A call that was open while it ran does not close because it ended. */
  keep(id: string): void {
    if (this.#kept.size >= Disclosures.MAX) this.#kept.clear();
    this.#kept.add(id);
  }

  set(id: string, isOpen: boolean): void {
    this.#open.delete(id);
    this.#open.set(id, isOpen);
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= Disclosures.MAX) break;
      this.#open.delete(oldest);
    }
    this.#write();
    for (const listener of this.#listeners) listener();
  }

  #read(): [string, boolean][] {
    try {
      const read: unknown = JSON.parse(this.#storage?.getItem(this.#key) ?? '[]');
      if (!Array.isArray(read)) return [];
      return read.filter(
        (one): one is [string, boolean] =>
          Array.isArray(one) && typeof one[0] === 'string' && typeof one[1] === 'boolean',
      );
    } catch {
      return [];
    }
  }

  #write(): void {
    try {
      this.#storage?.setItem(this.#key, JSON.stringify([...this.#open]));
    } catch {
      // A full or forbidden storage loses what was open, nothing else.
    }
  }
}

export interface Disclosure {
  readonly isOpen: boolean;
  /** A person chose, so nothing may fold it away. */
  readonly isTouched: boolean;
  readonly toggle: () => void;
  readonly setOpen: (isOpen: boolean) => void;
}

export function useDisclosure(
  store: Disclosures,
  id: string,
  isOpenByDefault: boolean,
): Disclosure {
  const isOpen = useSyncExternalStore(
    store.subscribe,
    () => store.isOpen(id, isOpenByDefault),
    () => isOpenByDefault,
  );
  const chosen = useSyncExternalStore(
    store.subscribe,
    () => store.chosen(id),
    () => undefined,
  );
  const setOpen = useCallback((open: boolean) => store.set(id, open), [store, id]);
  const toggle = useCallback(() => store.set(id, !isOpen), [store, id, isOpen]);
  return { isOpen, isTouched: chosen !== undefined, toggle, setOpen };
}
