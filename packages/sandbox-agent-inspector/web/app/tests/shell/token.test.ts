import { expect, test } from 'vitest';
import { readFragment, TokenShelf } from '../../src/shell/token.ts';

function storage(): Storage {
  const values = new Map<string, string>();
  return {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
    removeItem: (key: string) => void values.delete(key),
    clear: () => values.clear(),
    key: () => null,
    get length() {
      return values.size;
    },
  };
}

test.each([
  ['#token=abc', 'abc', ''],
  ['#L10&token=a%2Bb&x=1', 'a+b', 'L10&x=1'],
  ['#token=a+b', 'a+b', ''],
  ['#token=%zz', '%zz', ''],
  ['#token=', null, ''],
  ['#mytoken=1', null, 'mytoken=1'],
  ['', null, ''],
])('the fragment %s hands over %s and leaves %s', (fragment, token, rest) => {
  expect(readFragment(fragment)).toEqual({ token, rest });
});

test('a token stays in the tab, and in the browser only when that is asked', () => {
  const storages = { session: storage(), local: storage() };
  const shelf = new TokenShelf(storages);
  shelf.set('http://a', 'one');
  expect(storages.local.length).toBe(0);
  expect(new TokenShelf(storages).get('http://a')).toBe('one');
  expect(new TokenShelf({ session: storage(), local: storages.local }).get('http://a')).toBeNull();

  shelf.set('http://a', 'two', true);
  expect(new TokenShelf({ session: storage(), local: storages.local }).get('http://a')).toBe('two');
  shelf.set('http://a', 'three');
  expect(new TokenShelf({ session: storage(), local: storages.local }).get('http://a')).toBe(
    'three',
  );
  shelf.set('http://a', 'four', false);
  expect(storages.local.length).toBe(0);

  shelf.forget('http://a');
  expect(shelf.get('http://a')).toBeNull();
  expect(storages.session.length).toBe(0);
});

test('a browser that refuses its storage keeps the token as long as the page', () => {
  const refusing = {
    getItem: () => {
      throw new Error('denied');
    },
    setItem: () => {
      throw new Error('denied');
    },
    removeItem: () => {
      throw new Error('denied');
    },
  };
  const shelf = new TokenShelf({ session: refusing, local: refusing });
  shelf.set('http://a', 'one', true);
  expect(shelf.get('http://a')).toBe('one');
  expect(shelf.isRemembered('http://a')).toBe(false);
  expect(shelf.get('http://b')).toBeNull();
});
