import type {
  AnswerRequest,
  operations,
  RequestInfo,
  RequestList,
  Resolution,
} from '../api/schema.ts';
import { segment, type Transport } from '../http/transport.ts';

type ListQuery = NonNullable<operations['get_requests']['parameters']['query']>;
type Answered =
  operations['post_sessions_session_id_requests_request_id']['responses'][200]['content']['application/json'];

/** What waits for a person, of all sessions. */
export class Requests {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** A page of what is pending in all sessions, oldest first. */
  list(query: ListQuery & { signal?: AbortSignal } = {}): Promise<RequestList> {
    const { signal, ...rest } = query;
    return this.#transport.json('GET', '/v1/requests', { query: { ...rest }, signal });
  }

  /** Those of one session; `all` with those that were answered, and by whom. */
  of(
    sessionId: string,
    query: { status?: 'pending' | 'all'; limit?: number; cursor?: string } = {},
  ): Promise<RequestList> {
    return this.#transport.json('GET', `/v1/sessions/${segment(sessionId)}/requests`, { query });
  }

  /**
   * Answer one. The first answer wins: a later one gets an ApiError `request_already_resolved` (409) with the first in
   * `details.resolution`, see `resolutionIn`.
   */
  answer(sessionId: string, requestId: string, body: AnswerRequest): Promise<Answered> {
    const path = `/v1/sessions/${segment(sessionId)}/requests/${segment(requestId)}`;
    return this.#transport.json('POST', path, { json: body });
  }
}

export type { Answered as RequestAnswered, RequestInfo, Resolution };
