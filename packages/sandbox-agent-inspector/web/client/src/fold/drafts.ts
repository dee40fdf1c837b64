/**
 * Copies on write: what was published never changes, and what did not change since is published again as it is.
 *
 * A draft may be changed in place until it is published; the first change after that makes a copy. So a frame
 * costs what changed in it, however long the transcript is.
 */

import { isSame } from '../same.ts';
import type { Item, Turn } from './model.ts';

export class ItemDraft<T extends Item = Item> {
  item: T;
  turn: TurnDraft | null = null;
  #published = false;

  constructor(item: T) {
    this.item = item;
  }

  /** The item, to be changed. */
  change(): T {
    if (this.#published) {
      this.item = { ...this.item };
      this.#published = false;
    }
    this.turn?.touch();
    return this.item;
  }

  publish(): T {
    this.#published = true;
    return this.item;
  }

  /** Be the equal item that another fold has published. */
  adopt(item: Item | undefined): void {
    if (item && isSame(item, this.item)) this.item = item as T;
  }
}

export class TurnDraft {
  readonly drafts: ItemDraft[] = [];
  #turn: Turn;
  #isPublished = false;
  readonly #changed: Set<TurnDraft>;

  constructor(turn: Turn, changed: Set<TurnDraft>) {
    this.#turn = turn;
    this.#changed = changed;
    changed.add(this);
  }

  get id(): string | undefined {
    return this.#turn.id ?? undefined;
  }

  /** The turn, without its items, to be changed. */
  change(): Turn {
    if (this.#isPublished) {
      this.#turn = { ...this.#turn };
      this.#isPublished = false;
    }
    this.touch();
    return this.#turn;
  }

  touch(): void {
    this.#changed.add(this);
  }

  append(draft: ItemDraft): void {
    draft.turn = this;
    this.drafts.push(draft);
    this.touch();
  }

  remove(draft: ItemDraft): void {
    const index = this.drafts.lastIndexOf(draft);
    if (index >= 0) this.drafts.splice(index, 1);
    draft.turn = null;
    this.touch();
  }

  sort(): void {
    this.drafts.sort((one, other) => one.item.seq - other.item.seq);
    this.touch();
  }

  /** Whether nothing was ever said of it. */
  get isBlank(): boolean {
    if (this.drafts.length > 0) return false;
    const { items: _items, steered, ...told } = this.#turn;
    return steered.length === 0 && Object.values(told).every((value) => value == null);
  }

  publish(): Turn {
    if (this.#changed.delete(this) || !this.#isPublished) {
      this.#turn = { ...this.#turn, items: this.drafts.map((draft) => draft.publish()) };
      this.#isPublished = true;
    }
    return this.#turn;
  }

  /** Be the equal turn that another fold has published. */
  adopt(turn: Turn | undefined): void {
    const own = this.publish();
    if (turn?.items.length !== own.items.length) return;
    if (turn.items.every((item, index) => item === own.items[index]) && isSame(turn, own)) {
      this.#turn = turn;
    }
  }
}
