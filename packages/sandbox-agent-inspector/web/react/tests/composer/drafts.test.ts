import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DraftStorage, DraftStore } from '../../src/composer/drafts.ts';
import {
  NO_RECALL,
  PromptHistory,
  recallable,
  recalled,
  recallNewer,
  recallOlder,
} from '../../src/composer/history.ts';

class Memory implements DraftStorage {
  readonly values = new Map<string, string>();
  getItem(key: string): string | null {
    return this.values.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.values.set(key, value);
  }
  removeItem(key: string): void {
    this.values.delete(key);
  }
}

test('a draft survives a reload, by server and session', () => {
  const storage = new Memory();
  new DraftStore('http://a', storage).set('ses_1', 'hello');
  expect(new DraftStore('http://a', storage).get('ses_1')).toBe('hello');
  expect(new DraftStore('http://a', storage).get('ses_2')).toBe('');
  expect(new DraftStore('http://b', storage).get('ses_1')).toBe('');
});

test('what was written while a prompt was on its way is kept, and nothing else is', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string(), (sent, more) => {
      const drafts = new DraftStore('a', new Memory());
      drafts.set('s', sent + more);
      drafts.sent('s', sent);
      expect(drafts.get('s')).toBe(more.trimStart());
    }),
    { numRuns: 500 },
  );
  const drafts = new DraftStore('a', null);
  drafts.set('s', 'another text');
  drafts.sent('s', 'what was sent');
  expect(drafts.get('s')).toBe('another text');
});

test('another tab is followed', () => {
  const storage = new Memory();
  const drafts = new DraftStore('a', storage);
  let told = 0;
  drafts.subscribe(() => {
    told += 1;
  });
  expect(drafts.get('s')).toBe('');
  new DraftStore('a', storage).set('s', 'from there');
  const [key = ''] = storage.values.keys();
  drafts.changedElsewhere({ key, newValue: 'from there' });
  drafts.changedElsewhere({ key: 'something else', newValue: 'x' });
  expect([drafts.get('s'), told]).toEqual(['from there', 1]);
});

test('a storage that takes nothing keeps nobody from writing', () => {
  const full = new Memory();
  full.setItem = () => {
    throw new Error('QuotaExceededError');
  };
  const drafts = new DraftStore('a', full);
  drafts.set('s', 'hello');
  expect(drafts.get('s')).toBe('hello');
  const history = new PromptHistory('a', full);
  history.add('hello');
  expect(history.all()).toEqual([]);
});

test('history is each prompt once, the nearest first, and comes back to what was there', () => {
  const storage = new Memory();
  const history = new PromptHistory('a', storage);
  for (const prompt of ['one', 'two', 'one', ' ']) history.add(prompt);
  expect(history.all()).toEqual(['two', 'one']);
  const prompts = recallable(['here', 'one'], history.all());
  expect(prompts).toEqual(['one', 'here', 'two']);
  const first = recallOlder(NO_RECALL, () => prompts);
  const second = first && recallOlder(first, () => []);
  expect([first && recalled(first), second && recalled(second)]).toEqual(['one', 'here']);
  const back = second && recallNewer(second);
  expect(back && recalled(back)).toBe('one');
  expect(back && recalled(recallNewer(back) ?? NO_RECALL)).toBe('');
  expect(recallOlder({ prompts, index: 2 }, () => [])).toBeNull();
});

test('a stored history that is no list is none', () => {
  const storage = new Memory();
  storage.setItem('sandbox-agent:prompts:a', '{"x":1}');
  expect(new PromptHistory('a', storage).all()).toEqual([]);
});
