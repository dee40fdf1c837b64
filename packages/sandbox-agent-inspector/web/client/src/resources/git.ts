import type {
  GitCloneProgress,
  GitCloneRequest,
  GitCloneResult,
  GitDiff,
  GitStatus,
  operations,
} from '../api/schema.ts';
import type { Transport } from '../http/transport.ts';
import { Work } from '../http/work.ts';

type DiffQuery = Omit<
  NonNullable<operations['get_git_diff']['parameters']['query']>,
  'path' | 'paths' | 'format'
>;

export class Git {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  status(path: string, query: { base?: string; signal?: AbortSignal } = {}): Promise<GitStatus> {
    const { base, signal } = query;
    return this.#transport.json('GET', '/v1/git/status', { query: { path, base }, signal });
  }

  diff(
    path: string,
    query: DiffQuery & { paths?: readonly string[]; signal?: AbortSignal } = {},
  ): Promise<GitDiff> {
    const { signal, ...rest } = query;
    return this.#transport.json('GET', '/v1/git/diff', { query: { path, ...rest }, signal });
  }

  clone(
    body: GitCloneRequest,
    { signal }: { signal?: AbortSignal } = {},
  ): Work<GitCloneProgress, GitCloneResult> {
    return new Work(this.#transport, '/v1/git/clone', { json: body, signal });
  }
}
