import { expect, test } from 'vitest';
import { foreign, shortened } from '../src/foreign.ts';

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
