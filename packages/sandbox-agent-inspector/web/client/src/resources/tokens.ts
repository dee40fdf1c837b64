import type {
  CreateTicket,
  CreateToken,
  TicketCreated,
  TokenCreated,
  TokenList,
} from '../api/schema.ts';
import { segment, type Transport } from '../http/transport.ts';

/** Tokens with a name and a purpose. Scope `admin`. */
export class Tokens {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(): Promise<TokenList> {
    return this.#transport.json('GET', '/v1/tokens');
  }

  /** The answer has the token, this once. */
  create(body: CreateToken): Promise<TokenCreated> {
    return this.#transport.json('POST', '/v1/tokens', { json: body });
  }

  /** It is refused from then on, and its streams end. */
  revoke(id: string): Promise<void> {
    return this.#transport.done('DELETE', `/v1/tokens/${segment(id)}`);
  }
}

/** Tickets for what a browser opens without a header: one terminal or one port, for minutes. */
export class Tickets {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  create(body: CreateTicket): Promise<TicketCreated> {
    return this.#transport.json('POST', '/v1/tickets', { json: body });
  }
}
