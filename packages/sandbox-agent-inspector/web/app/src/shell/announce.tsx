/** What a screen reader says by itself: two hidden regions, each at most once a second, so that nothing drowns. */
import { useSyncExternalStore } from 'react';
import { createPortal } from 'react-dom';

const INTERVAL_MS = 1000;
const MOST_WAITING = 8;

class LiveRegion {
  #text = '';
  #waiting: string[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #listeners = new Set<() => void>();

  say(text: string): void {
    if (this.#timer !== null) {
      if (this.#waiting.at(-1) !== text) {
        this.#waiting.push(text);
      }
      // Old news is worth less than new.
      this.#waiting.splice(0, this.#waiting.length - MOST_WAITING);
      return;
    }
    this.#show(text);
  }

  #show(text: string): void {
    // The same words again are told again only when the text differs.
    this.#text = text === this.#text ? `${text}\u00a0` : text;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#show(next);
      }
    }, INTERVAL_MS);
    for (const listener of this.#listeners) {
      listener();
    }
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): string => this.#text;
}

const regions = { polite: new LiveRegion(), assertive: new LiveRegion() };

/** Tell who does not look. `assertive` interrupts: only for what waits for a person. */
export function announce(text: string, politeness: 'polite' | 'assertive' = 'polite'): void {
  regions[politeness].say(text);
}

/** Outside of the app's root, which a dialog hides. */
export function LiveRegions() {
  const { polite, assertive } = regions;
  const status = useSyncExternalStore(polite.subscribe, polite.getSnapshot, polite.getSnapshot);
  const alert = useSyncExternalStore(
    assertive.subscribe,
    assertive.getSnapshot,
    assertive.getSnapshot,
  );
  return createPortal(
    <div className="visually-hidden" data-live-announcer="true">
      <div role="status">{status}</div>
      <div role="alert">{alert}</div>
    </div>,
    document.body,
  );
}
