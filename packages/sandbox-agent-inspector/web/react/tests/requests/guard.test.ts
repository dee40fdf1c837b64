import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AnswerGuard, type Box, GUARD_MS } from '../../src/requests/guard.ts';

const BOX: Box = { left: 100, top: 500, width: 300, height: 40 };
const POINT = { x: 150, y: 510 };

test('nothing counts that began before a card was there for long enough, whenever it came', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 100_000 }),
      fc.integer({ min: -2000, max: 2000 }),
      fc.boolean(),
      (appeared, after, isPointer) => {
        const guard = new AnswerGuard(appeared);
        guard.placed(appeared, BOX);
        const press = { at: appeared + after, ...(isPointer && { point: POINT }) };
        expect(guard.takes(press)).toBe(after >= GUARD_MS);
      },
    ),
    { numRuns: 500 },
  );
});

test('a click on what has just moved under the pointer does not count, wherever it moved from', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 20, max: 400 }),
      fc.constantFrom(-1, 1),
      fc.integer({ min: 0, max: 1500 }),
      (distance, sign, wait) => {
        const guard = new AnswerGuard(0);
        guard.placed(0, { ...BOX, top: BOX.top + sign * distance });
        guard.placed(5000, BOX);
        const press = { at: 5000 + wait, point: POINT };
        guard.placed(press.at, BOX);
        expect(guard.takes(press)).toBe(wait >= GUARD_MS);
      },
    ),
    { numRuns: 500 },
  );
});

test('a key is not in the way of what moves', () => {
  const guard = new AnswerGuard(0);
  guard.placed(0, { ...BOX, top: 0 });
  guard.placed(5000, BOX);
  expect(guard.takes({ at: 5001 })).toBe(true);
});

test('what moves by a pixel or two is still the same button', () => {
  const guard = new AnswerGuard(0);
  guard.placed(0, BOX);
  guard.placed(5000, { ...BOX, top: BOX.top + 2 });
  expect(guard.takes({ at: 5001, point: POINT })).toBe(true);
});

test('a card that comes into view again is guarded again', () => {
  const guard = new AnswerGuard(0);
  guard.appeared(9000);
  expect(guard.takes({ at: 9100 })).toBe(false);
  expect(guard.takes({ at: 9000 + GUARD_MS })).toBe(true);
});
