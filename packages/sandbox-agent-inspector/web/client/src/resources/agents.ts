import type {
  AgentInfo,
  AgentList,
  InstallProgress,
  InstallRequest,
  InstallResult,
  InstallStatus,
} from '../api/schema.ts';
import { segment, type Transport } from '../http/transport.ts';
import { Work } from '../http/work.ts';

export interface AgentQuery {
  /** With the models, modes and options that each offers: the server starts the agents for it, once. */
  config?: boolean;
  noCache?: boolean;
  signal?: AbortSignal;
}

export class Agents {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list({ signal, config, noCache }: AgentQuery = {}): Promise<AgentList> {
    const query = { config, no_cache: noCache };
    return this.#transport.json('GET', '/v1/agents', { query, signal });
  }

  get(name: string, { signal, config, noCache }: AgentQuery = {}): Promise<AgentInfo> {
    const query = { config, no_cache: noCache };
    return this.#transport.json('GET', `/v1/agents/${segment(name)}`, { query, signal });
  }

  /** Iterate over how far it is; its `result` is there at the end. */
  install(
    name: string,
    body: InstallRequest = {},
    { signal }: { signal?: AbortSignal } = {},
  ): Work<InstallProgress, InstallResult> {
    const path = `/v1/agents/${segment(name)}/install`;
    return new Work(this.#transport, path, { json: body, signal });
  }

  /** Whether an installation goes on, whoever began it, and how far it is. */
  installing(name: string): Promise<InstallStatus> {
    return this.#transport.json('GET', `/v1/agents/${segment(name)}/install`);
  }
}
