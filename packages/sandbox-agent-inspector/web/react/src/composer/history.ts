import type { DraftStorage } from './drafts.ts';

const MAX_PROMPTS = 100;
const MAX_CHARS = 20_000;
const KEY = 'sandbox-agent:prompts:';

/** What one has sent, over all sessions of a server: newest last. */
export class PromptHistory {
  readonly #storage: DraftStorage | null;
  readonly #key: string;

  constructor(server: string, storage: DraftStorage | null) {
    this.#storage = storage;
    this.#key = KEY + server;
  }

  add(text: string): void {
    const prompt = text.trim();
    if (!prompt || prompt.length > MAX_CHARS) return;
    const prompts = [...this.all().filter((one) => one !== prompt), prompt].slice(-MAX_PROMPTS);
    try {
      this.#storage?.setItem(this.#key, JSON.stringify(prompts));
    } catch {
      // A history that cannot be kept is no reason not to send.
    }
  }

  all(): string[] {
    try {
      const stored: unknown = JSON.parse(this.#storage?.getItem(this.#key) ?? '[]');
      return Array.isArray(stored)
        ? stored.filter((one): one is string => typeof one === 'string')
        : [];
    } catch {
      return [];
    }
  }
}

/** Those of the session first, then those of others; each once, the nearest first. */
export function recallable(session: readonly string[], everywhere: readonly string[]): string[] {
  const nearest = [...session.toReversed(), ...everywhere.toReversed()];
  return [...new Set(nearest.map((text) => text.trim()).filter(Boolean))];
}

/** A walk through what can be recalled: up to older ones, down to what was there before. */
export interface Recall {
  prompts: readonly string[];
  /** -1: not recalling. */
  index: number;
}

export const NO_RECALL: Recall = { prompts: [], index: -1 };

export function recallOlder(recall: Recall, prompts: () => readonly string[]): Recall | null {
  const known = recall.index < 0 ? prompts() : recall.prompts;
  const index = recall.index + 1;
  return index < known.length ? { prompts: known, index } : null;
}

export function recallNewer(recall: Recall): Recall | null {
  if (recall.index < 0) return null;
  return recall.index === 0 ? NO_RECALL : { ...recall, index: recall.index - 1 };
}

export function recalled(recall: Recall): string {
  return recall.prompts[recall.index] ?? '';
}
