import type {
  operations,
  ProcessConfig,
  ProcessConfigChange,
  ProcessCreateRequest,
  ProcessGap,
  ProcessInfo,
  ProcessInputRequest,
  ProcessInputResponse,
  ProcessListResponse,
  ProcessLogEntry,
  ProcessLogsResponse,
  ProcessRunRequest,
  ProcessRunResponse,
  TerminalSize,
} from '../api/schema.ts';
import { readSse } from '../http/sse.ts';
import { segment, type Transport } from '../http/transport.ts';

type LogQuery = NonNullable<operations['get_processes_process_id_logs']['parameters']['query']>;

/** What a log that is followed brings: its entries, holes where the oldest was dropped, and the end. */
export type ProcessLogEvent =
  | { readonly type: 'log'; readonly entry: ProcessLogEntry }
  | { readonly type: 'gap'; readonly gap: ProcessGap }
  | { readonly type: 'exit'; readonly process: ProcessInfo };

export class Processes {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(query: { owner?: 'user' | 'system' | 'desktop' } = {}): Promise<ProcessListResponse> {
    return this.#transport.json('GET', '/v1/processes', { query });
  }

  get(id: string): Promise<ProcessInfo> {
    return this.#transport.json('GET', at(id));
  }

  create(body: ProcessCreateRequest): Promise<ProcessInfo> {
    return this.#transport.json('POST', '/v1/processes', { json: body });
  }

  /** Run a command to its end. */
  run(body: ProcessRunRequest, { signal }: { signal?: AbortSignal } = {}) {
    const options = { json: body, signal };
    return this.#transport.json<ProcessRunResponse>('POST', '/v1/processes/run', options);
  }

  /** SIGTERM, and later SIGKILL. */
  stop(id: string, query: { waitMs?: number } = {}): Promise<ProcessInfo> {
    return this.#transport.json('POST', at(id, '/stop'), { query });
  }

  kill(id: string, query: { waitMs?: number } = {}): Promise<ProcessInfo> {
    return this.#transport.json('POST', at(id, '/kill'), { query });
  }

  /** Forget one that has ended, and its output. */
  remove(id: string): Promise<void> {
    return this.#transport.done('DELETE', at(id));
  }

  /** A page of what it has written. */
  log(id: string, query: Omit<LogQuery, 'follow'> = {}): Promise<ProcessLogsResponse> {
    return this.#transport.json('GET', at(id, '/logs'), { query });
  }

  /** What it has written and, with `follow` (the default), writes, to its end. `data` is base64: `bytesOf` reads it. */
  async *logs(
    id: string,
    query: LogQuery & { signal?: AbortSignal } = {},
  ): AsyncGenerator<ProcessLogEvent, void, undefined> {
    const { signal, follow = true, ...rest } = query;
    if (!follow) {
      const page = await this.log(id, rest);
      if (page.gap) yield { type: 'gap', gap: page.gap };
      for (const entry of page.entries) yield { type: 'log', entry };
      return;
    }
    const response = await this.#transport.send('GET', at(id, '/logs'), {
      query: { ...rest, follow: true },
      accept: 'text/event-stream',
      signal,
    });
    for await (const messages of readSse(response, { signal })) {
      for (const { event, data } of messages) {
        if (event === 'log') yield { type: 'log', entry: JSON.parse(data) as ProcessLogEntry };
        else if (event === 'gap') yield { type: 'gap', gap: JSON.parse(data) as ProcessGap };
        else if (event === 'exit') yield { type: 'exit', process: JSON.parse(data) as ProcessInfo };
      }
    }
  }

  input(id: string, body: ProcessInputRequest): Promise<ProcessInputResponse> {
    return this.#transport.json('POST', at(id, '/input'), { json: body });
  }

  resize(id: string, body: TerminalSize): Promise<TerminalSize> {
    return this.#transport.json('POST', at(id, '/terminal/resize'), { json: body });
  }

  config(): Promise<ProcessConfig> {
    return this.#transport.json('GET', '/v1/processes/config');
  }

  configure(body: ProcessConfigChange): Promise<ProcessConfig> {
    return this.#transport.json('POST', '/v1/processes/config', { json: body });
  }
}

/** The bytes of a log entry or of another base64 text. */
export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function at(id: string, rest = ''): string {
  return `/v1/processes/${segment(id)}${rest}`;
}
