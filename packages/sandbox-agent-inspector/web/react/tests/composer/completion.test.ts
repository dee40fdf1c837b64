import type { FileEntry } from 'sandbox-agent-client';
import { expect, test } from 'vitest';
import {
  fileUri,
  isInline,
  numbered,
  refusalOf,
  safeName,
} from '../../src/composer/attachments.ts';
import {
  complete,
  fileCompletions,
  matchingCommands,
  triggerAt,
} from '../../src/composer/completion.ts';
import { keyOf } from '../../src/composer/keys.ts';

function file(path: string, entryType: FileEntry['entryType'] = 'file'): FileEntry {
  return { path, entryType, size: 1, name: path.split('/').at(-1) ?? '' };
}

test('@ begins a file at the start of a word, / a command at the start of a prompt', () => {
  const at = (text: string) => triggerAt(text, text.length);
  expect(at('see @src/a')).toMatchObject({ kind: 'file', query: 'src/a', start: 4 });
  expect(at('(@a')).toMatchObject({ kind: 'file', query: 'a', start: 1 });
  expect(at('@"my fi')).toMatchObject({ kind: 'file', query: 'my fi', start: 0, end: 7 });
  expect(at('/rev')).toMatchObject({ kind: 'command', query: 'rev', start: 0 });
  for (const text of ['a@b.c', '@a b', 'say /rev', '/rev now', '/usr/bin'])
    expect(at(text)).toBeNull();
});

test('a completion takes the place of the word, and the caret goes behind it', () => {
  const [found] = fileCompletions([file('/ws/src/app.py')], '/ws', 'ap');
  const trigger = triggerAt('see @ap please', 7);
  if (!found || !trigger) throw new Error('nothing found');
  expect(complete('see @ap please', trigger, found)).toEqual({
    text: 'see @src/app.py please',
    caret: 16,
  });
  expect(complete('see @ap', { ...trigger }, found)).toEqual({
    text: 'see @src/app.py ',
    caret: 16,
  });
});

test('names with spaces are quoted, directories go on', () => {
  const [one] = fileCompletions([file('/ws/my dir', 'directory')], '/ws', '');
  expect(one).toMatchObject({ insert: '@"my dir/', goesOn: true });
  const [two] = fileCompletions([file('/ws/my dir/a b.txt')], '/ws', '');
  expect(two).toMatchObject({ insert: '@"my dir/a b.txt"', goesOn: false });
});

test('the best match is first', () => {
  const found = fileCompletions(
    [file('/ws/x/napp.py'), file('/ws/deep/er/app.py'), file('/ws/app')],
    '/ws',
    'app',
  );
  expect(found.map((one) => one.label)).toEqual(['app', 'deep/er/app.py', 'x/napp.py']);
  const commands = [
    { name: 'compact', description: 'Sums up' },
    { name: 'up', description: '' },
    { name: 'review', description: 'Looks at changes', input: { hint: '[branch]' } },
  ];
  expect(matchingCommands(commands, 'up').map((one) => one.insert)).toEqual(['/up', '/compact']);
  expect(matchingCommands(commands, 'rev')[0]?.label).toBe('/review [branch]');
});

test('hostile file names become names', () => {
  expect(safeName('../../etc/passwd')).toBe('passwd');
  expect(safeName('..\\evil.exe')).toBe('evil.exe');
  expect(safeName('a\u202ecod.exe\n')).toBe('acod.exe');
  expect(safeName('.bashrc')).toBe('bashrc');
  expect(safeName('///')).toBe('attachment');
  expect(safeName(`${'ä'.repeat(500)}.png`)).toMatch(/^ä{48}\.png$/);
  expect([numbered('a.txt', 1), numbered('a.txt', 2), numbered('a', 3)]).toEqual([
    'a.txt',
    'a-2.txt',
    'a-3',
  ]);
  expect(fileUri('/ws/a b#?.txt')).toBe('file:///ws/a%20b%23%3F.txt');
});

test('small pictures go into the prompt where the agent takes them', () => {
  const png = { type: 'image/png', size: 1000 };
  expect(isInline(png, true)).toBe(true);
  expect(isInline(png, false)).toBe(false);
  expect(isInline({ ...png, size: 6 * 1024 * 1024 }, true)).toBe(false);
  expect(isInline({ type: 'image/svg+xml', size: 10 }, true)).toBe(false);
  expect(refusalOf({ name: 'a', size: 200 * 1024 * 1024 }, 0)).toContain('100 MB');
  expect(refusalOf({ name: 'a', size: 1 }, 20)).toContain('20');
});

test('keys send, and leave an input method alone', () => {
  const press = (key: string, more = {}) => ({
    key,
    shiftKey: false,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    isComposing: false,
    ...more,
  });
  const at = { text: 'x', isRecalling: false, isTouch: false };
  expect(keyOf(press('Enter'), at)).toBe('send');
  expect(keyOf(press('Enter', { isComposing: true }), at)).toBeNull();
  expect(keyOf(press('Enter', { keyCode: 229 }), at)).toBeNull();
  expect(keyOf(press('Enter', { shiftKey: true }), at)).toBe('line');
  expect(keyOf(press('Enter', { ctrlKey: true }), at)).toBe('queue');
  expect(keyOf(press('Enter', { metaKey: true, shiftKey: true }), at)).toBe('steer');
  expect(keyOf(press('Enter'), { ...at, isTouch: true })).toBe('line');
  expect(keyOf(press('ArrowUp'), at)).toBeNull();
  expect(keyOf(press('ArrowUp'), { ...at, text: '' })).toBe('older');
  expect(keyOf(press('ArrowDown'), { ...at, isRecalling: true })).toBe('newer');
});

test('what is near the caret is completed, however long the text before it', () => {
  const text = `${'word '.repeat(100_000)}@src`;
  expect(triggerAt(text, text.length)).toMatchObject({ kind: 'file', query: 'src' });
  const long = `@${'a'.repeat(300)}`;
  expect(triggerAt(long, long.length)).toBeNull();
});
