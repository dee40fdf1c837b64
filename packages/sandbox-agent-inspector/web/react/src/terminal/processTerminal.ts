import {
  ApiError,
  type SandboxAgent,
  type TerminalConnection,
  type TerminalMessage,
} from 'sandbox-agent-client';
import type { TerminalEvents, TerminalSize, TerminalTransport } from './transport.ts';

/** More than this is not held for the screen: the connection is let go of, and made again where the screen is. */
const HOLD_AT_BYTES = 4 * 1024 * 1024;
const GO_ON_BELOW_BYTES = 512 * 1024;
/** Of what is typed while there is no connection. */
const KEEP_CHARS = 65_536;
const FIRST_DELAY_MS = 250;
const MOST_DELAY_MS = 10_000;

/** The terminal of a process: made again when its connection breaks, and going on where it was. */
export class ProcessTerminal implements TerminalTransport {
  readonly #client: SandboxAgent;
  readonly #id: string;
  #events: TerminalEvents | null = null;
  #connection: TerminalConnection | null = null;
  #size: TerminalSize = { cols: 80, rows: 24 };
  /** Where the output goes on, once something was shown. */
  #offset: number | null = null;
  #waiting = 0;
  /** Typed while there was no connection, or before it was open: in its pieces, since the server takes only so much at once. */
  readonly #typed: string[] = [];
  #typedChars = 0;
  #isHeld = false;
  #hasEnded = false;
  #isStopped = false;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: SandboxAgent, id: string) {
    this.#client = client;
    this.#id = id;
  }

  start(events: TerminalEvents, size: TerminalSize): void {
    this.#events = events;
    this.#size = size;
    events.state('connecting');
    globalThis.addEventListener?.('online', this.#retryNow);
    this.#connect();
  }

  write(data: string): void {
    if (this.#hasEnded || this.#isStopped) return;
    if (this.#connection?.isOpen) {
      this.#connection.input(data);
      return;
    }
    // While output is held, the keys that would end it must get through all the same.
    if (this.#isHeld)
      this.#client.processes.input(this.#id, { data, encoding: 'utf8' }).catch(() => undefined);
    else {
      this.#keep(data);
      this.#retryNow();
    }
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    this.#connection?.resize(size.cols, size.rows);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.('online', this.#retryNow);
    this.#connection?.close();
    this.#connection = null;
  }

  #connect(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped || this.#hasEnded || this.#connection) return;
    const connection = this.#client.terminals.connect(this.#id, {
      ...(this.#offset === null ? {} : { offset: this.#offset }),
      onMessage: (message) => {
        if (this.#connection === connection) this.#take(message, connection);
      },
      onOpen: () => {
        if (this.#connection === connection) this.#opened(connection);
      },
    });
    this.#connection = connection;
  }

  #opened(connection: TerminalConnection): void {
    connection.resize(this.#size.cols, this.#size.rows);
    for (const data of this.#typed.splice(0)) connection.input(data);
    this.#typedChars = 0;
  }

  #keep(data: string): void {
    if (this.#typedChars + data.length > KEEP_CHARS) {
      this.#events?.notice('Not connected: what was typed last was not kept');
      return;
    }
    this.#typed.push(data);
    this.#typedChars += data.length;
  }

  #take(message: TerminalMessage, connection: TerminalConnection): void {
    const events = this.#events;
    if (!events) return;
    switch (message.type) {
      case 'ready':
        this.#attempt = 0;
        if (this.#offset === null) events.restoring(message.scrollbackBytes);
        this.#offset = connection.offset;
        events.state('live');
        return;
      case 'output':
        this.#offset = connection.offset;
        this.#show(message.data, connection);
        return;
      case 'error':
        events.notice(message.message);
        return;
      case 'exit':
        this.#hasEnded = true;
        events.state('ended');
        events.exit({
          exitCode: message.exitCode ?? null,
          signal: message.signal == null ? null : String(message.signal),
        });
        return;
      case 'closed':
        this.#connection = null;
        if (!this.#hasEnded && !this.#isHeld) void this.#comeBack();
    }
  }

  #show(data: Uint8Array, connection: TerminalConnection): void {
    this.#waiting += data.length;
    this.#events?.data(data, () => {
      this.#waiting -= data.length;
      if (!this.#isHeld || this.#waiting > GO_ON_BELOW_BYTES) return;
      this.#isHeld = false;
      this.#connect();
    });
    if (this.#waiting < HOLD_AT_BYTES || this.#isHeld) return;
    this.#isHeld = true;
    this.#connection = null;
    connection.close();
  }

  /** A handshake that is refused says nothing to a page: the process itself is asked. */
  async #comeBack(): Promise<void> {
    if (this.#isStopped) return;
    const attempt = this.#attempt++;
    if (attempt > 0) this.#events?.state('reconnecting');
    try {
      if (attempt > 0) await this.#client.processes.get(this.#id);
    } catch (error) {
      if (error instanceof ApiError && (error.status === 404 || error.status === 403)) {
        this.#hasEnded = true;
        this.#events?.state('failed', error.message);
        return;
      }
    }
    if (this.#isStopped) return;
    const delay = attempt === 0 ? 0 : Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), delay);
  }

  #retryNow = (): void => {
    if (this.#connection || this.#hasEnded || this.#isHeld || this.#isStopped) return;
    this.#connect();
  };
}
