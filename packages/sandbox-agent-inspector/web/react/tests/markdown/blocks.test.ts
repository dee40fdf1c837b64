import { describe, expect, it } from 'vitest';
import { lexMarkdown, type MarkdownBlocks, NO_BLOCKS } from '../../src/markdown/blocks.ts';

const PIECES: Record<string, string> = {
  prose: 'One line.\n\nAnother *with* **marks** and `code`.\n\nA third.\n\nAnd a last one.',
  fences:
    'Before\n\n```python\ndef f():\n    return 1\n```\n\nBetween\n\n~~~\n```\ninside\n```\n~~~\n\nAfter',
  lists:
    '- one\n- two\n  - nested\n  - again\n- three\n\n1. first\n2. second\n\n- [x] done\n- [ ] open\n\nEnd.',
  table: 'Look:\n\n| a | b |\n|---|:-:|\n| 1 | 2 |\n| 3 | `x|y` |\n\nDone.\n\nReally.',
  setext: 'Title\n=====\n\nSub\n---\n\ntext\n\n***\n\nmore',
  html: 'a\n\n<div onclick="x">\nb\n</div>\n\nc <b>d</b>\n\ne',
  quotes: '> a\n> b\n>\n> > c\n\nd\n\n> e\n\nf\n\ng',
  code: 'a\n\n    indented\n    code\n\nb\n\nc\n\nd',
};

function stream(text: string, step = 1, watch?: (blocks: MarkdownBlocks) => void): MarkdownBlocks {
  let blocks = NO_BLOCKS;
  for (let end = step; end < text.length + step; end += step) {
    blocks = lexMarkdown(text.slice(0, end), true, blocks);
    watch?.(blocks);
  }
  return blocks;
}

const shape = (blocks: MarkdownBlocks) =>
  blocks.blocks.map((block) => `${block.token?.type}:${block.raw.trimEnd()}`);

describe('blocks of a stream', () => {
  it.each(Object.entries(PIECES))(
    'are those of the whole text, letter by letter: %s',
    (_name, text) => {
      expect(shape(lexMarkdown(text, false, stream(text)))).toEqual(
        shape(lexMarkdown(text, false)),
      );
      expect(shape(stream(`${text}\n\nA\n\nB`)).slice(0, -2)).toEqual(
        shape(lexMarkdown(`${text}\n\nA\n\nB`, false)).slice(0, -2),
      );
    },
  );

  it.each(Object.entries(PIECES))('keep their identity once they are frozen: %s', (_name, text) => {
    let before = NO_BLOCKS;
    stream(text, 1, (blocks) => {
      for (let index = 0; index < before.frozen; index += 1) {
        expect(blocks.blocks[index]).toBe(before.blocks[index]);
      }
      before = blocks;
    });
    const whole = lexMarkdown(text, false, before);
    for (let index = 0; index < before.frozen; index += 1) {
      expect(whole.blocks[index]).toBe(before.blocks[index]);
    }
  });

  it('never shows a fence as text', () => {
    stream('Before\n\n```python\nx = 1\n```\n\nAfter\n\n~~~\ny\n~~~\n\nEnd', 1, ({ blocks }) => {
      for (const { token, raw } of blocks) {
        if (token?.type !== 'code') expect(raw).not.toMatch(/[`~]/);
        else expect('text' in token && token.text).not.toMatch(/[`~]/);
      }
    });
  });

  it('begins again when the text is another one', () => {
    const before = stream('a\n\nb\n\nc\n\nd');
    expect(shape(lexMarkdown('x\n\ny\n\nz', true, before))).toEqual([
      'paragraph:x',
      'paragraph:y',
      'paragraph:z',
    ]);
  });

  it('resolves references when the text is complete', () => {
    const text = 'See [it].\n\nb\n\nc\n\nd\n\n[it]: https://example.org';
    const first = lexMarkdown(text, false, stream(text)).blocks[0];
    expect(JSON.stringify(first?.token)).toContain('"href":"https://example.org"');
  });

  it('takes part after part of a long text without lexing what is frozen', () => {
    const paragraph = `${'word '.repeat(40)}\n\n`;
    const blocks = stream(paragraph.repeat(200), 97);
    expect(blocks.frozen).toBeGreaterThan(190);
    expect(blocks.frozenChars).toBeGreaterThan(paragraph.length * 190);
  });
});
