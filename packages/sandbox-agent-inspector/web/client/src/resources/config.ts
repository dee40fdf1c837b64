import type {
  McpConfigList,
  McpServerConfig,
  SkillsConfig,
  SkillsConfigList,
} from '../api/schema.ts';
import type { Transport } from '../http/transport.ts';

/** A directory's MCP servers and skills: sessions that begin in it get them. */
export class Config {
  readonly mcp: ConfigGroup<McpServerConfig, McpConfigList>;
  readonly skills: ConfigGroup<SkillsConfig, SkillsConfigList>;

  constructor(transport: Transport) {
    this.mcp = new ConfigGroup(transport, '/v1/config/mcp', 'mcpName');
    this.skills = new ConfigGroup(transport, '/v1/config/skills', 'skillName');
  }
}

class ConfigGroup<One, List> {
  readonly #transport: Transport;
  readonly #path: string;
  readonly #parameter: string;

  constructor(transport: Transport, path: string, parameter: string) {
    this.#transport = transport;
    this.#path = path;
    this.#parameter = parameter;
  }

  list(directory: string): Promise<List> {
    return this.#transport.json('GET', this.#path, { query: { directory } });
  }

  get(directory: string, name: string): Promise<One> {
    return this.#transport.json('GET', this.#path, { query: this.#query(directory, name) });
  }

  /** Make it, or replace it. */
  put(directory: string, name: string, body: One): Promise<void> {
    const query = this.#query(directory, name);
    return this.#transport.done('PUT', this.#path, { query, json: body });
  }

  remove(directory: string, name: string): Promise<void> {
    return this.#transport.done('DELETE', this.#path, { query: this.#query(directory, name) });
  }

  #query(directory: string, name: string): Record<string, string> {
    return { directory, [this.#parameter]: name };
  }
}

export type { ConfigGroup };
