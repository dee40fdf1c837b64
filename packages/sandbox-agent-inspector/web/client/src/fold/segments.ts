/** The turns of a transcript and what lies between them. An item is in its turn or, without one, after all others. */

import { type ItemDraft, TurnDraft } from './drafts.ts';
import type { Item, Turn } from './model.ts';

export class Segments {
  readonly #all: TurnDraft[] = [];
  readonly #turns = new Map<string, TurnDraft>();
  readonly #withoutId = new Set<TurnDraft>();
  readonly #changed = new Set<TurnDraft>();
  #published: Turn[] = [];
  #isStale = false;

  /** The turn, made if it is new: a log that is read from its middle has turns without a start. */
  turn(turnId: string | undefined): TurnDraft {
    if (turnId === undefined) {
      const last = this.#all.at(-1);
      return last && this.#withoutId.has(last) ? last : this.#append(undefined);
    }
    return this.#turns.get(turnId) ?? this.#append(turnId);
  }

  /** The turn that a prompt starts. One without an id is always a new segment. */
  start(turnId: string | undefined): TurnDraft {
    return turnId === undefined ? this.#append(undefined) : this.turn(turnId);
  }

  put(draft: ItemDraft, turnId: string | undefined): void {
    this.turn(turnId).append(draft);
  }

  /** Give an item the place that it would have had if it came only now. */
  putAgain(draft: ItemDraft, turnId: string | undefined): void {
    const turn = draft.turn;
    if (turn) {
      turn.remove(draft);
      if (turn.isBlank) this.#drop(turn);
    }
    this.put(draft, turnId);
  }

  /** The turn, if there is one: a delta may go on with an item of an earlier turn, and makes none. */
  find(turnId: string | undefined): TurnDraft | undefined {
    if (turnId !== undefined) return this.#turns.get(turnId);
    const last = this.#all.at(-1);
    return last && this.#withoutId.has(last) ? last : undefined;
  }

  /**
   * Take over, of turns that another fold has published, what is equal: whoever shows them sees no change. A step for
   * each turn, so that others may have the thread between them.
   */
  *adopt(turns: readonly Turn[]): Generator<void> {
    const items = new Map<string, Item>();
    const byId = new Map<string, Turn>();
    const byFirst = new Map<Item | undefined, Turn>();
    for (const turn of turns) {
      for (const item of turn.items) items.set(`${item.type} ${item.seq}`, item);
      if (turn.id != null) byId.set(turn.id, turn);
      else byFirst.set(turn.items[0], turn);
    }
    for (const turn of [...this.#all]) {
      yield;
      for (const draft of turn.drafts) {
        draft.adopt(items.get(`${draft.item.type} ${draft.item.seq}`));
      }
      const id = turn.id;
      turn.adopt(id === undefined ? byFirst.get(turn.drafts[0]?.item) : byId.get(id));
      this.#isStale = true;
    }
  }

  publish(): Turn[] {
    if (this.#changed.size > 0 || this.#isStale) {
      this.#published = this.#all.map((turn) => turn.publish());
      this.#changed.clear();
      this.#isStale = false;
    }
    return this.#published;
  }

  #append(turnId: string | undefined): TurnDraft {
    const blank: Turn = { steered: [], items: [] };
    if (turnId !== undefined) blank.id = turnId;
    const turn = new TurnDraft(blank, this.#changed);
    if (turnId === undefined) this.#withoutId.add(turn);
    else this.#turns.set(turnId, turn);
    this.#all.push(turn);
    return turn;
  }

  #drop(turn: TurnDraft): void {
    const index = this.#all.lastIndexOf(turn);
    if (index < 0 || !this.#withoutId.has(turn)) return;
    this.#all.splice(index, 1);
    this.#withoutId.delete(turn);
    this.#changed.delete(turn);
    this.#isStale = true;
  }
}
