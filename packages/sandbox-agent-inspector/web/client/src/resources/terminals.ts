import { segment, type Transport } from '../http/transport.ts';

/** What a terminal says. */
export type TerminalMessage =
  | { readonly type: 'ready'; readonly offset: number; readonly scrollbackBytes: number }
  | { readonly type: 'output'; readonly data: Uint8Array }
  | {
      readonly type: 'error';
      readonly code: string;
      readonly message: string;
      readonly offset?: number;
      readonly skippedBytes?: number;
    }
  | { readonly type: 'exit'; readonly exitCode?: number | null; readonly signal?: number | null }
  /** The connection is gone, after `exit` or without it. */
  | { readonly type: 'closed'; readonly code: number; readonly reason: string };

export interface TerminalOptions {
  /** Go on there in its output, in place of what was there before. */
  offset?: number;
  scrollback?: boolean;
  /** Of `tickets.create`, in place of the token. */
  ticket?: string;
  onMessage(message: TerminalMessage): void;
  onOpen?(): void;
}

/** One connection. It knows how far the output was read, so the next one can go on there. */
export class TerminalConnection {
  readonly #socket: WebSocket;
  #offset: number | null = null;

  constructor(transport: Transport, processId: string, options: TerminalOptions) {
    const { offset, scrollback, ticket, onMessage, onOpen } = options;
    const path = `/v1/processes/${segment(processId)}/terminal/ws`;
    const url = transport.socketUrl(path, { offset, scrollback, ticket });
    this.#socket = new WebSocket(url, ticket ? ['sandbox-agent'] : transport.socketProtocols());
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => onOpen?.();
    this.#socket.onclose = ({ code, reason }) => onMessage({ type: 'closed', code, reason });
    this.#socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) {
        if (this.#offset !== null) this.#offset += data.byteLength;
        onMessage({ type: 'output', data: new Uint8Array(data) });
        return;
      }
      const message = JSON.parse(String(data)) as TerminalMessage;
      // The scrollback follows `ready`, whose offset is that of its end.
      if (message.type === 'ready') this.#offset = message.offset - message.scrollbackBytes;
      if (message.type === 'error' && message.offset != null) this.#offset = message.offset;
      onMessage(message);
    };
  }

  /** How far the output was read; null until it is ready. */
  get offset(): number | null {
    return this.#offset;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** What waits to be sent: more than a little means that nobody takes it. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  input(data: string): void {
    this.#send({ type: 'input', data });
  }

  resize(cols: number, rows: number): void {
    this.#send({ type: 'resize', cols, rows });
  }

  /** Let go of it; the process stays. */
  close(): void {
    this.#send({ type: 'close' });
    this.#socket.close();
  }

  #send(message: object): void {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
  }
}

export class Terminals {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** To a process that was started with `tty: true`. */
  connect(processId: string, options: TerminalOptions): TerminalConnection {
    return new TerminalConnection(this.#transport, processId, options);
  }
}
