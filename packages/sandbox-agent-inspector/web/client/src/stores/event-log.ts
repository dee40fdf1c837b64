/** The events of a session that are loaded, by `seq`, without the deltas that a completion repeats. */

import type { Event, MessageDelta, ReasoningDelta } from '../api/schema.ts';
import { type Listener, Publisher } from './publisher.ts';

export type Delta = MessageDelta | ReasoningDelta;

export class EventLog {
  #events: Event[] = [];
  readonly #open = new Map<string, Delta[]>();
  readonly #publisher = new Publisher(() => {
    this.#version += 1;
  });
  #version = 0;

  /** Of events that are no deltas. */
  get length(): number {
    return this.#events.length;
  }

  /** Changes with each notification. */
  get version(): number {
    return this.#version;
  }

  at(index: number): Event | undefined {
    return this.#events[index];
  }

  /** Where the event with this `seq` is, or the next after it; `length` when there is none. */
  indexOf(seq: number): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.seq ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  slice(from: number, to?: number): Event[] {
    return this.#events.slice(from, to);
  }

  /** What is being said: deltas that no completion has repeated yet, by `seq`. */
  openDeltas(): Delta[] {
    return [...this.#open.values()].flat().sort((one, other) => one.seq - other.seq);
  }

  /** Told once a frame, of events that are no deltas. */
  subscribe(listener: Listener): () => void {
    return this.#publisher.subscribe(listener);
  }

  /** The next event. */
  append(event: Event): void {
    if (event.type === 'message.delta' || event.type === 'reasoning.delta') {
      const key = streamOf(event);
      const deltas = this.#open.get(key);
      if (deltas) deltas.push(event);
      else this.#open.set(key, [event]);
      return;
    }
    if (event.type === 'message.completed' || event.type === 'reasoning.completed') {
      this.#open.delete(streamOf(event));
    }
    this.#events.push(event);
    this.#publisher.schedule();
  }

  /** Events before all that are loaded, in order. */
  prepend(events: readonly Event[]): void {
    if (events.length === 0) return;
    this.#events = [...events, ...this.#events];
    this.#publisher.schedule();
  }

  clear(): void {
    this.#events = [];
    this.#open.clear();
    this.#publisher.schedule();
  }
}

/** What a delta and the completion that repeats it have in common. */
function streamOf(event: Event): string {
  const kind = event.type.slice(0, event.type.indexOf('.'));
  const id = 'messageId' in event.data ? event.data.messageId : null;
  return id != null ? `${kind} ${id}` : `${kind}/${event.turnId ?? ''}`;
}
