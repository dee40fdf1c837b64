import { ApiError, bytesOf, type SandboxAgent } from 'sandbox-agent-client';
import type { TerminalEvents, TerminalTransport } from './transport.ts';

export type LogStream = 'combined' | 'stdout' | 'stderr';

/** Of a long log the end is shown: so much of it fits on the screen that holds it. */
const TAIL_ENTRIES = 5000;
const MOST_DELAY_MS = 10_000;
const HOLD_AT_BYTES = 4 * 1024 * 1024;

/** What a process has written and writes, read only. */
export class ProcessLog implements TerminalTransport {
  readonly #client: SandboxAgent;
  readonly #id: string;
  readonly #stream: LogStream;
  readonly #stop = new AbortController();
  #since: number | null = null;
  #waiting = 0;
  #taken: (() => void) | null = null;

  constructor(client: SandboxAgent, id: string, stream: LogStream = 'combined') {
    this.#client = client;
    this.#id = id;
    this.#stream = stream;
  }

  start(events: TerminalEvents): void {
    events.state('connecting');
    void this.#follow(events);
  }

  stop(): void {
    this.#stop.abort();
    this.#taken?.();
  }

  async #follow(events: TerminalEvents): Promise<void> {
    const { signal } = this.#stop;
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (attempt > 0) await delayOf(attempt, signal);
      if (signal.aborted) return;
      try {
        const from = this.#since === null ? { tail: TAIL_ENTRIES } : { since: this.#since };
        const log = this.#client.processes.logs(this.#id, {
          stream: this.#stream,
          ...from,
          signal,
        });
        for await (const event of log) {
          if (signal.aborted) return;
          attempt = 0;
          if (event.type === 'log') {
            events.state('live');
            this.#since = event.entry.sequence;
            await this.#show(events, bytesOf(event.entry.data));
          } else if (event.type === 'gap') {
            this.#since = event.gap.sequence - 1;
            events.notice(gapOf(event.gap.bytes ?? null));
          } else {
            events.state('ended');
            const { exitCode, signal: ended } = event.process;
            events.exit({ exitCode: exitCode ?? null, signal: ended ?? null });
            return;
          }
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.status < 500 && error.status !== 429) {
          events.state('failed', error.message);
          return;
        }
      }
      if (!signal.aborted) events.state('reconnecting');
    }
  }

  /** The stream is read no further while the screen has not taken what came: the server waits then. */
  async #show(events: TerminalEvents, bytes: Uint8Array): Promise<void> {
    this.#waiting += bytes.length;
    events.data(bytes, () => {
      this.#waiting -= bytes.length;
      if (this.#waiting < HOLD_AT_BYTES) this.#taken?.();
    });
    if (this.#waiting < HOLD_AT_BYTES) return;
    await new Promise<void>((resolve) => {
      this.#taken = resolve;
    });
    this.#taken = null;
  }
}

function gapOf(bytes: number | null): string {
  return bytes === null
    ? 'Older output is no longer kept.'
    : `${bytes.toLocaleString()} bytes of older output are no longer kept.`;
}

function delayOf(attempt: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.min(MOST_DELAY_MS, 250 * 2 ** attempt));
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
