/** Listeners that are told once a frame, whatever happens in between. */

export type Listener = () => void;

/** How often a page that nobody sees is told: it stays true, and costs little. */
const HIDDEN_MS = 250;
const FRAME_MS = 16;

export class Publisher {
  readonly #listeners = new Set<Listener>();
  readonly #before: () => void;
  #isDue = false;

  /** `before` runs when listeners are about to be told. */
  constructor(before: () => void = () => {}) {
    this.#before = before;
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  subscribe(listener: Listener): () => void {
    // Wrapped, so that one that subscribes twice is told until both have left.
    const one = () => listener();
    this.#listeners.add(one);
    return () => {
      this.#listeners.delete(one);
    };
  }

  /** Tell the listeners in the next frame. */
  schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    due.add(this);
    if (isFrameAsked) return;
    isFrameAsked = true;
    onNextFrame(flushAll);
  }

  /** Tell them now, if they are to be told. */
  flush(): void {
    if (!this.#isDue) return;
    this.#isDue = false;
    due.delete(this);
    this.#before();
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Of all stores: told in one frame, whoever shows several of them renders once. */
const due = new Set<Publisher>();
let isFrameAsked = false;

function flushAll(): void {
  isFrameAsked = false;
  for (const publisher of [...due]) {
    try {
      publisher.flush();
    } catch (error) {
      // A listener's own affair: those of other stores are told all the same.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

function onNextFrame(run: () => void): void {
  if (typeof requestAnimationFrame !== 'function') {
    setTimeout(run, FRAME_MS);
  } else if (typeof document !== 'undefined' && document.hidden) {
    setTimeout(run, HIDDEN_MS);
  } else {
    // A page that is hidden in this moment gets no frame.
    let isDone = false;
    const once = () => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      run();
    };
    const timer = setTimeout(once, HIDDEN_MS);
    requestAnimationFrame(once);
  }
}

/** Leave the thread to others for a moment: what is typed and painted comes first. */
export function yieldToOthers(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof MessageChannel === 'undefined') {
      setTimeout(resolve, 0);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** When the thread has nothing else to do, or a little later. */
export function whenIdle(timeoutMs = 500): Promise<void> {
  return new Promise((resolve) => {
    if (typeof requestIdleCallback === 'function') {
      requestIdleCallback(() => resolve(), { timeout: timeoutMs });
    } else {
      setTimeout(resolve, 0);
    }
  });
}
