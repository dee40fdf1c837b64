/** How long a card must have been there, and at rest under the pointer, before it takes an answer. */
export const GUARD_MS = 400;

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

interface Press {
  at: number;
  /** Of the pointer; absent: a key. */
  point?: { x: number; y: number };
}

/**
 * Keeps an answer from being given by an Enter that was meant for something else, or by a click on what has just moved
 * under the pointer. It is told what happens and asked whether a press counts; it owns no clock and no element.
 */
export class AnswerGuard {
  #appearedAt: number;
  /** Where the buttons were, each with the time since when. The newest last. */
  #places: { since: number; box: Box }[] = [];

  constructor(appearedAt: number) {
    this.#appearedAt = appearedAt;
  }

  /** The card has come into view again, or is another one in the same place. */
  appeared(at: number): void {
    this.#appearedAt = at;
    this.#places = [];
  }

  /** Where the buttons are now. */
  placed(at: number, box: Box): void {
    const last = this.#places.at(-1);
    if (last && sameBox(last.box, box)) return;
    this.#places.push({ since: at, box });
    while (this.#places.length > 1 && (this.#places[1]?.since ?? at) <= at - GUARD_MS) {
      this.#places.shift();
    }
  }

  /** Whether a press that began then is meant for what is there now. */
  takes(press: Press): boolean {
    if (press.at - this.#appearedAt < GUARD_MS) return false;
    const { point } = press;
    const now = this.#places.at(-1);
    if (!point || !now) return true;
    // Of every place in which the buttons were a moment ago, the same spot of them has to be under the pointer.
    return this.#places.every((place, index) => {
      const until = this.#places[index + 1]?.since ?? Number.POSITIVE_INFINITY;
      if (until <= press.at - GUARD_MS) return true;
      return near(place.box, now.box);
    });
  }
}

/** A few pixels are no other button. */
const SLACK = 6;

function near(one: Box, other: Box): boolean {
  return Math.abs(one.left - other.left) <= SLACK && Math.abs(one.top - other.top) <= SLACK;
}

function sameBox(one: Box, other: Box): boolean {
  return (
    one.left === other.left &&
    one.top === other.top &&
    one.width === other.width &&
    one.height === other.height
  );
}
