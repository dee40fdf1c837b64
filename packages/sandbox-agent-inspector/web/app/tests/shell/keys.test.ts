import { expect, test } from 'vitest';
import { isChord, isSingle, type Press, shownKeys } from '../../src/shell/keys.ts';

function press(key: string, more: Partial<Press> = {}): Press {
  const code = /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : key;
  return { key, code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more };
}

test.each([
  ['Ctrl+K', press('k', { ctrlKey: true }), true],
  ['Ctrl+K', press('K', { ctrlKey: true, shiftKey: true }), false],
  ['Ctrl+Shift+K', press('K', { ctrlKey: true, shiftKey: true }), true],
  ['Ctrl+K', press('k'), false],
  ['?', press('?', { shiftKey: true }), true],
  ['/', press('/'), true],
  ['Ctrl+.', press('.', { ctrlKey: true }), true],
  ['n', press('n'), true],
  ['n', press('N', { shiftKey: true }), false],
  ['n', press('n', { ctrlKey: true }), false],
  ['n', press('n', { metaKey: true }), false],
  ['Alt+Down', press('ArrowDown', { altKey: true }), true],
  ['Esc', press('Escape'), true],
  ['F6', press('F6'), true],
  ['Shift+F6', press('F6', { shiftKey: true }), true],
  ['F6', press('F6', { shiftKey: true }), false],
])('%s against %o: %s', (keys, pressed, expected) => {
  expect(isChord(keys, pressed, false)).toBe(expected);
});

test('a Mac has Command for Ctrl, and other letters with Option', () => {
  expect(isChord('Ctrl+K', press('k', { metaKey: true }), true)).toBe(true);
  expect(isChord('Alt+Y', { ...press('¥', { altKey: true }), code: 'KeyY' }, true)).toBe(true);
});

test('only what types something is a single key', () => {
  expect(['n', '?', 'g i', '['].every(isSingle)).toBe(true);
  expect(['Ctrl+K', 'Alt+Y', 'Esc', 'F6', 'Ctrl+.'].some(isSingle)).toBe(false);
});

test('keys are shown as the kit writes them', () => {
  expect(shownKeys('Ctrl+Shift+K')).toBe('Ctrl Shift K');
  expect(shownKeys('g i')).toBe('g i');
});
