/** What each session does now, in one line. */

import type { Event } from '../api/schema.ts';

const LINE = 160;

export class Activity {
  #lines = new Map<string, string>();
  /** Sessions whose line is of a message that is being written. */
  readonly #spoken = new Set<string>();
  #isShared = false;

  /** Never changes once it was taken. */
  lines(): ReadonlyMap<string, string> {
    this.#isShared = true;
    return this.#lines;
  }

  /** Take in an event. True when a line is another. */
  apply(event: Event): boolean {
    const id = event.sessionId;
    if (event.type === 'message.delta' || event.type === 'message.completed') {
      if (event.data.parentToolCallId != null || event.data.role === 'user') return false;
      const isGoingOn = event.type === 'message.delta' && this.#spoken.has(id);
      const line = lastLine((isGoingOn ? this.#lines.get(id) : '') ?? '', event.data.text ?? '');
      if (!line) return false;
      this.#spoken.add(id);
      return this.#set(id, line);
    }
    const line = lineOf(event);
    if (line === undefined) return false;
    this.#spoken.delete(id);
    return this.#set(id, line);
  }

  forget(id: string): void {
    this.#spoken.delete(id);
    this.#set(id, null);
  }

  #set(id: string, line: string | null): boolean {
    if ((this.#lines.get(id) ?? null) === line) return false;
    if (this.#isShared) this.#lines = new Map(this.#lines);
    this.#isShared = false;
    if (line === null) this.#lines.delete(id);
    else this.#lines.set(id, line);
    return true;
  }
}

/** Null: it does nothing any more; undefined: the same as before. */
function lineOf(event: Event): string | null | undefined {
  switch (event.type) {
    case 'turn.started':
      return 'Working…';
    case 'reasoning.delta':
      return event.data.parentToolCallId != null ? undefined : 'Thinking…';
    case 'tool.started':
    case 'tool.updated':
      if (event.data.parentToolCallId != null) return undefined;
      return cut(event.data.title || event.data.name || '') || undefined;
    case 'permission.requested':
      return cut(event.data.command || event.data.toolCall?.title || 'Asks for a permission');
    case 'question.requested':
      return cut(event.data.message || event.data.questions?.[0]?.question || 'Asks a question');
    case 'context.compacted':
      return 'Compacted its context';
    case 'turn.ended':
    case 'session.ended':
    case 'agent.exited':
      return null;
    default:
      return undefined;
  }
}

function lastLine(before: string, text: string): string {
  const lines = (before + text).split('\n').filter((line) => line.trim());
  return (lines.at(-1) ?? '').slice(-LINE);
}

function cut(text: string): string {
  return text.slice(0, LINE);
}
