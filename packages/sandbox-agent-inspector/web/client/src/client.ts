/** One server, and all that it can do. */

import type { Health } from './api/schema.ts';
import { type FeedItem, type FeedOptions, followFeed } from './feed.ts';
import { Transport, type TransportOptions } from './http/transport.ts';
import { Agents } from './resources/agents.ts';
import { Config } from './resources/config.ts';
import { Files } from './resources/files.ts';
import { Git } from './resources/git.ts';
import { Ports } from './resources/ports.ts';
import { Processes } from './resources/processes.ts';
import { Requests } from './resources/requests.ts';
import { Sessions } from './resources/sessions.ts';
import { Terminals } from './resources/terminals.ts';
import { Tickets, Tokens } from './resources/tokens.ts';

/** `url` is where the server is, `token` what it printed when it started. */
export type SandboxAgentOptions = TransportOptions;

export class SandboxAgent {
  /** Requests that have no method here. */
  readonly transport: Transport;
  readonly sessions: Sessions;
  readonly requests: Requests;
  readonly agents: Agents;
  readonly files: Files;
  readonly git: Git;
  readonly processes: Processes;
  readonly terminals: Terminals;
  readonly ports: Ports;
  readonly config: Config;
  readonly tokens: Tokens;
  readonly tickets: Tickets;

  constructor(options: SandboxAgentOptions) {
    const transport = new Transport(options);
    this.transport = transport;
    this.sessions = new Sessions(transport);
    this.requests = new Requests(transport);
    this.agents = new Agents(transport);
    this.files = new Files(transport);
    this.git = new Git(transport);
    this.processes = new Processes(transport);
    this.terminals = new Terminals(transport);
    this.ports = new Ports(transport);
    this.config = new Config(transport);
    this.tokens = new Tokens(transport);
    this.tickets = new Tickets(transport);
  }

  get url(): string {
    return this.transport.url;
  }

  /**
   * How far the server's clock is ahead of this machine's, as its answers tell: deadlines and beginnings are times of
   * the server. 0 when they agree within a few seconds.
   */
  get clockOffsetMs(): number {
    return this.transport.clockOffsetMs;
  }

  /** Without a right token it says only that the server is alive. */
  health({ signal }: { signal?: AbortSignal } = {}): Promise<Health> {
    return this.transport.json('GET', '/v1/health', { signal });
  }

  /**
   * What happens in all sessions, for ever: it connects again by itself, and goes on where it was, without a gap and
   * without an event twice. Throws ApiError when the server refuses (a token that is not valid any more).
   */
  feed(options: FeedOptions = {}): AsyncIterable<FeedItem> {
    return followFeed(this.transport, options);
  }
}
