import { expect, it } from 'vitest';
import { repairTail } from '../../src/markdown/repair.ts';

it.each([
  ['plain text', 'plain text'],
  ['a **bol', 'a **bol**'],
  ['a **bold**', 'a **bold**'],
  ['a **bold*', 'a **bold**'],
  ['a **', 'a '],
  ['a `cod', 'a `cod`'],
  ['a `', 'a '],
  ['a ~~gone', 'a ~~gone~~'],
  ['see [text](http://exa', 'see '],
  ['see [text', 'see '],
  ['see [text]', 'see [text]'],
  ['see [text](http://example.org)', 'see [text](http://example.org)'],
  ['look ![image](x', 'look '],
  ['a\n``', 'a\n'],
  ['a\n```', 'a\n```'],
  ['a\n\n```py\nx = 1\n``', 'a\n\n```py\nx = 1\n'],
  ['```md\n**not bold', '```md\n**not bold'],
  ['Title\n--', 'Title\n'],
  ['Title\n=', 'Title\n'],
  ['a\n- ', 'a\n'],
  ['| a | b |', ''],
  ['| a | b |\n|--', ''],
  ['| a | b |\n|---|---|', '| a | b |\n|---|---|'],
  ['| a | b |\n|---|---|\n| 1', '| a | b |\n|---|---|\n| 1'],
  ['done **one**\n\nthen **two', 'done **one**\n\nthen **two**'],
])('%j is shown as %j', (tail, shown) => {
  expect(repairTail(tail)).toBe(shown);
});
