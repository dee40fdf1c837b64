/** Long work that tells how far it is: an iteration over its progress that returns the result. */

import type { Problem } from '../api/schema.ts';
import { ApiError, NetworkError } from '../errors.ts';
import { readSse } from './sse.ts';
import type { SendOptions, Transport } from './transport.ts';

/** `for await` gives the progress; `result` is there when it has ended. Leaving the loop cancels the work. */
export class Work<Progress, Result> implements AsyncIterable<Progress> {
  readonly #transport: Transport;
  readonly #path: string;
  readonly #options: SendOptions;
  /** What came of it; null until it has ended. */
  result: Result | null = null;

  constructor(transport: Transport, path: string, options: SendOptions) {
    this.#transport = transport;
    this.#path = path;
    this.#options = options;
  }

  /** Wait for the end, without the progress. */
  async done(): Promise<Result> {
    for await (const _progress of this) {
      // Only the end is of interest.
    }
    if (this.result === null) throw new NetworkError(this.#transport.url, 'the stream ended early');
    return this.result;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Progress> {
    const response = await this.#transport.send('POST', this.#path, {
      ...this.#options,
      accept: 'text/event-stream',
    });
    for await (const messages of readSse(response, { signal: this.#options.signal })) {
      for (const { event, data } of messages) {
        if (event === 'progress') yield JSON.parse(data) as Progress;
        else if (event === 'completed') this.result = JSON.parse(data) as Result;
        else if (event === 'error') {
          const problem = JSON.parse(data) as Problem;
          throw new ApiError(problem.status, problem);
        }
      }
    }
  }
}
