/** Prompts on their way: sent once, however often the connection breaks. */

import type { PromptAccepted } from '../api/schema.ts';
import type { SandboxAgent } from '../client.ts';
import { isUnanswered } from '../errors.ts';
import type { ContentBlock } from '../fold/model.ts';
import { newId } from '../new-id.ts';
import { wait } from '../wait.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 4000;
/** Of a prompt that gets no answer from a server that can be reached: something on the way lets it not pass. */
const MOST_TRIES = 8;

export interface OutboxPrompt {
  /** Its idempotency key. */
  readonly id: string;
  readonly content: readonly ContentBlock[];
  readonly steer: boolean;
  /** `waiting`: for the connection. `accepted`: by the server, and not yet in the transcript. */
  readonly state: 'sending' | 'waiting' | 'accepted';
  readonly createdAt: number;
  readonly turnId: string | null;
}

export interface SendPromptOptions {
  /** Into the turn that runs, where the agent can take it. */
  steer?: boolean;
  /** To give it up while it waits. */
  signal?: AbortSignal;
}

export interface OutboxHost {
  readonly client: SandboxAgent;
  /** Resolves when it makes sense to try again. */
  connected(signal: AbortSignal | undefined): Promise<void>;
  changed(): void;
}

export class Outbox {
  readonly #sessionId: string;
  readonly #host: OutboxHost;
  #prompts: readonly OutboxPrompt[] = [];
  /** Turns that began while something was on its way: the feed may be faster than the answer. */
  readonly #seen = new Set<string>();

  constructor(sessionId: string, host: OutboxHost) {
    this.#sessionId = sessionId;
    this.#host = host;
  }

  get prompts(): readonly OutboxPrompt[] {
    return this.#prompts;
  }

  /**
   * Send a prompt, again until the server has answered: it is carried out once, because each try has the same key.
   * Throws the ApiError with which the server refused it, or the last error when there is no answer again and again
   * although the server can be reached.
   */
  async send(
    content: string | readonly ContentBlock[],
    { steer = false, signal }: SendPromptOptions = {},
  ): Promise<PromptAccepted> {
    const id = newId();
    const blocks = typeof content === 'string' ? textBlocks(content) : content;
    this.#set([
      ...this.#prompts,
      { id, content: blocks, steer, state: 'sending', createdAt: Date.now(), turnId: null },
    ]);
    try {
      const accepted = await this.#deliver(id, blocks, steer, signal);
      if (this.#seen.has(accepted.turnId)) this.#remove(id);
      else this.#patch(id, { state: 'accepted', turnId: accepted.turnId });
      return accepted;
    } catch (error) {
      this.#remove(id);
      throw error;
    }
  }

  /** The transcript has the turn: it is shown from there. */
  seen(turnId: string | undefined): void {
    if (turnId === undefined || this.#prompts.length === 0) return;
    this.#seen.add(turnId);
    const rest = this.#prompts.filter((one) => one.turnId !== turnId);
    if (rest.length < this.#prompts.length) this.#set(rest);
  }

  async #deliver(
    id: string,
    content: readonly ContentBlock[],
    steer: boolean,
    signal: AbortSignal | undefined,
  ): Promise<PromptAccepted> {
    const { sessions } = this.#host.client;
    const body = { content: content.map((block) => ({ ...block })) };
    for (let tries = 1; ; tries += 1) {
      try {
        const options = { idempotencyKey: id, ...(signal ? { signal } : {}) };
        if (!steer) return await sessions.prompt(this.#sessionId, body, options);
        const {
          how: _how,
          position,
          ...rest
        } = await sessions.steer(this.#sessionId, body, options);
        return { ...rest, position: position ?? 0 };
      } catch (error) {
        if (!isUnanswered(error) || signal?.aborted || tries >= MOST_TRIES) throw error;
        this.#patch(id, { state: 'waiting' });
        await wait(Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS), signal);
        await this.#host.connected(signal);
        this.#patch(id, { state: 'sending' });
      }
    }
  }

  #patch(id: string, change: Partial<OutboxPrompt>): void {
    this.#set(this.#prompts.map((one) => (one.id === id ? { ...one, ...change } : one)));
  }

  #remove(id: string): void {
    this.#set(this.#prompts.filter((one) => one.id !== id));
  }

  #set(prompts: readonly OutboxPrompt[]): void {
    this.#prompts = prompts;
    if (prompts.length === 0) this.#seen.clear();
    this.#host.changed();
  }
}

function textBlocks(text: string): ContentBlock[] {
  return [{ type: 'text', text }];
}
