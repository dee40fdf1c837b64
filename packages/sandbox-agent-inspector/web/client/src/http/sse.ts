/** Server-sent events of an answer that is read with `fetch`: `EventSource` cannot send a token. */

import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { NetworkError } from '../errors.ts';

export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
}

export interface SseOptions {
  signal?: AbortSignal | undefined;
  /** Called for whatever comes, comments included: the connection is alive. */
  onActivity?(): void;
}

/**
 * The messages of a stream, as many at once as have come.
 *
 * Ends when the stream does; throws NetworkError when it breaks. Returns early on `signal`.
 */
export async function* readSse(
  response: Response,
  options: SseOptions = {},
): AsyncGenerator<ServerSentEvent[], void, undefined> {
  const body = response.body;
  if (!body) return;
  let messages: ServerSentEvent[] = [];
  const parser = createParser({
    onEvent: (message: EventSourceMessage) => {
      messages.push({ event: message.event ?? 'message', data: message.data, id: message.id });
    },
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      options.onActivity?.();
      parser.feed(decoder.decode(value, { stream: true }));
      if (messages.length > 0) {
        yield messages;
        messages = [];
      }
    }
  } catch (error) {
    if (options.signal?.aborted) return;
    throw new NetworkError(response.url, error);
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** The JSON of each message. */
export async function* readSseJson<T>(
  response: Response,
  options: SseOptions = {},
): AsyncGenerator<T, void, undefined> {
  for await (const messages of readSse(response, options)) {
    for (const message of messages) if (message.data) yield JSON.parse(message.data) as T;
  }
}
