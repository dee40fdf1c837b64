/** The feed through a WebSocket, which browsers count apart from their six HTTP connections to a server. */

import { NetworkError } from '../errors.ts';

const NORMAL = 1000;
const GOING_AWAY = 1001;

export interface EventSocketOptions {
  url: string;
  protocols: string[];
  signal: AbortSignal;
  /** Called for whatever comes, heartbeats included: the connection is alive. */
  onActivity(): void;
}

/** One connection. What comes is kept from its first moment on, until it is read. */
export class EventSocket<T> {
  readonly #socket: WebSocket;
  readonly #signal: AbortSignal;
  #messages: T[] = [];
  #end: CloseEvent | null = null;
  #wake = () => {};

  private constructor({ url, protocols, signal, onActivity }: EventSocketOptions) {
    const decoder = new TextDecoder();
    this.#signal = signal;
    this.#socket = new WebSocket(url, protocols);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onmessage = ({ data }) => {
      onActivity();
      const text = data instanceof ArrayBuffer ? decoder.decode(data) : String(data);
      this.#messages.push(JSON.parse(text) as T);
      this.#wake();
    };
    this.#socket.onopen = () => this.#wake();
    this.#socket.onclose = (event) => {
      this.#end = event;
      this.#wake();
    };
  }

  /** Null when none is to be had: something on the way does not let it pass, or the server refuses. */
  static async open<T>(options: EventSocketOptions): Promise<EventSocket<T> | null> {
    const one = new EventSocket<T>(options);
    await one.#change(() => one.#socket.readyState !== WebSocket.CONNECTING);
    if (one.#socket.readyState === WebSocket.OPEN) return one;
    one.#socket.close();
    return null;
  }

  /** As many messages at once as have come. Ends when the server closes it; throws NetworkError when it breaks. */
  async *read(): AsyncGenerator<T[], void, undefined> {
    try {
      for (;;) {
        await this.#change(() => this.#messages.length > 0 || this.#end !== null);
        if (this.#signal.aborted) return;
        const messages = this.#messages;
        this.#messages = [];
        if (messages.length > 0) yield messages;
        else if (this.#end?.code === NORMAL || this.#end?.code === GOING_AWAY) return;
        else throw new NetworkError(this.#socket.url.replace(/\?.*/, ''), this.#end?.reason);
      }
    } finally {
      this.#socket.close();
    }
  }

  /** Until it is so, or nobody wants it any more: a close that waits for a lost peer is not waited for. */
  async #change(isSo: () => boolean): Promise<void> {
    while (!this.#signal.aborted && !isSo()) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#wake = wake;
        this.#signal.addEventListener('abort', wake);
      });
    }
  }
}
