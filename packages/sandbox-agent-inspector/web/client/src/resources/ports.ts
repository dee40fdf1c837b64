import type { PortList } from '../api/schema.ts';
import { readSse } from '../http/sse.ts';
import type { Transport } from '../http/transport.ts';

export class Ports {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(): Promise<PortList> {
    return this.#transport.json('GET', '/v1/ports');
  }

  /** All that listen, at once and again whenever that changes. */
  async *watch({
    signal,
  }: {
    signal?: AbortSignal;
  } = {}): AsyncGenerator<PortList, void, undefined> {
    const response = await this.#transport.send('GET', '/v1/ports', {
      accept: 'text/event-stream',
      signal,
    });
    for await (const messages of readSse(response, { signal })) {
      for (const { data } of messages) yield JSON.parse(data) as PortList;
    }
  }

  /** Where the server passes requests on to a port. For a browser's address bar take a ticket (`tickets.create`). */
  url(port: number, path = '/'): string {
    return `${this.#transport.url}/v1/ports/${port}${path.startsWith('/') ? path : `/${path}`}`;
  }
}
