import { expect, test } from 'vitest';
import { foreign, foreignCode, shortened } from '../src/foreign.ts';

test('what would deceive is visible', () => {
  expect(foreign('a\u202Egnp.exe')).toBe('a⟨U+202E⟩gnp.exe');
  expect(foreign('two\nlines')).toBe('two⟨U+000A⟩lines');
  expect(foreign('zero\u200Bwidth\u{E0041}')).toBe('zero⟨U+200B⟩width⟨U+E0041⟩');
});

test('ordinary names stay as they are, in every script', () => {
  for (const name of ['src/auth.py', 'Übung', '日本語', '🙂', 'é'])
    expect(foreign(name)).toBe(name);
});

test('a long name is cut in the middle, between characters', () => {
  const long = shortened('🙂'.repeat(5000), 11);
  expect(long).toBe(`${'🙂'.repeat(5)}…${'🙂'.repeat(5)}`);
  expect(shortened('short', 11)).toBe('short');
});

test.each([null, undefined, 7, {}, { list: ['a', { b: 1 }] }])(
  'what is no text is shown all the same: %j',
  (told) => {
    const text = told as unknown as string;
    expect(foreign(text)).toBe(JSON.stringify(told) ?? '');
    expect(foreignCode(text)).toBe(JSON.stringify(told) ?? '');
  },
);
