import fc from 'fast-check';
import { diffRows, fileDiffOf, fileDiffOfTexts, splitRows } from 'sandbox-agent-react';
import { describe, expect, it } from 'vitest';
import { applied, shownNew } from './applied.ts';

const line = fc.constantFrom('a', 'b', '', '  a', '-- x', '\t', 'é🙂', 'c\r', '+', '@@ -1 +1 @@');
const text = fc
  .tuple(fc.array(line, { maxLength: 40 }), fc.boolean())
  .map(([all, ends]) => all.join('\n') + (ends && all.length > 0 ? '\n' : ''));

describe('a diff of two texts', () => {
  it('makes the new text of the old one', () => {
    fc.assert(
      fc.property(text, text, (oldText, newText) => {
        const file = fileDiffOfTexts({ path: 'x', oldText, newText });
        expect(applied(file, oldText)).toBe(newText);
        if (oldText !== newText) expect(shownNew(file)).toBe(newText);
      }),
      { numRuns: 400 },
    );
  });

  it('makes it also when comparing takes too long', () => {
    fc.assert(
      fc.property(text, text, (oldText, newText) => {
        const file = fileDiffOfTexts({ path: 'x', oldText, newText, timeoutMs: 0 });
        expect(applied(file, oldText)).toBe(newText);
      }),
      { numRuns: 100 },
    );
  });

  it('gives up on texts with nothing in common, and says so', () => {
    const oldText = Array.from({ length: 5000 }, (_, at) => `old ${at}`).join('\n');
    const newText = Array.from({ length: 5000 }, (_, at) => `new ${at}`).join('\n');
    const file = fileDiffOfTexts({ path: 'x', oldText, newText, timeoutMs: 0 });
    expect(file.replaced).toBe(true);
    expect([file.additions, file.deletions]).toEqual([5000, 5000]);
  });

  it('numbers the lines of a file, and none of a piece that has no place', () => {
    const whole = fileDiffOfTexts({ path: 'x', oldText: 'a\nb\n', newText: 'a\nc\n' });
    expect(whole.hunks[0]?.lines.map(({ oldNumber, newNumber }) => [oldNumber, newNumber])).toEqual(
      [
        [1, 1],
        [2, null],
        [null, 2],
      ],
    );
    const piece = fileDiffOfTexts({ path: 'x', oldText: 'b', newText: 'c', isWholeFile: false });
    expect(piece.hunks[0]?.lines.map(({ oldNumber }) => oldNumber)).toEqual([null, null]);
    const ids = diffRows(piece, new Map()).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('knows a new file, a deleted one, and one of which only the ends of lines changed', () => {
    expect(fileDiffOfTexts({ path: 'x', oldText: null, newText: 'a' }).status).toBe('added');
    expect(fileDiffOfTexts({ path: 'x', oldText: 'a', newText: null }).status).toBe('deleted');
    const ends = fileDiffOfTexts({ path: 'x', oldText: 'a\nb\n', newText: 'a\r\nb\r\n' });
    expect(ends.lineEndings).toEqual({ from: 'LF', to: 'CRLF' });
  });
});

describe('rows', () => {
  const oldText = Array.from({ length: 60 }, (_, at) => `${at + 1}\n`).join('');
  const newText = oldText.replace('30\n', 'thirty\n');
  const file = fileDiffOfTexts({ path: 'x', oldText, newText });

  it('fold what did not change, and open it in steps', () => {
    const folds = diffRows(file, new Map()).filter((row) => row.type === 'fold');
    expect(folds.map(({ count }) => count)).toEqual([26, 27]);
    const [first] = folds;
    const opened = new Map([[first?.id ?? '', { top: 0, bottom: 20 }]]);
    const left = diffRows(file, opened).filter((row) => row.type === 'fold');
    expect(left.map(({ count }) => count)).toEqual([6, 27]);
    expect(left[0]?.id).toBe(first?.id);
  });

  it('stand side by side in pairs', () => {
    const pairs = splitRows(diffRows(file, new Map())).filter((row) => row.type === 'pair');
    const changed = pairs.filter((row) => row.old !== row.new);
    expect(changed.map((row) => [row.old?.text, row.new?.text])).toEqual([['30', 'thirty']]);
  });
});

describe('what an agent tells of its edit', () => {
  it('is taken as it is when it is a piece of a file', () => {
    const file = fileDiffOf({
      path: '/w/x.py',
      oldText: 'b\n',
      newText: 'c\n',
      isWholeFile: false,
      hunks: [
        { oldStart: 12, newStart: 12, lines: [' a', '-b', '+c', '\\ No newline at end of file'] },
      ],
    });
    expect(file.hunks[0]?.lines.map((one) => [one.kind, one.oldNumber, one.newNumber])).toEqual([
      ['context', 12, 12],
      ['del', 13, null],
      ['add', null, 13],
    ]);
    // The end of a piece is no end of a file.
    expect(file.hunks[0]?.lines.at(-1)?.noNewline).toBe(false);
  });

  it('is compared here when it has no hunks', () => {
    const file = fileDiffOf({ path: 'x', oldText: 'a\n', newText: 'b\n' });
    expect([file.additions, file.deletions]).toEqual([1, 1]);
  });
});
