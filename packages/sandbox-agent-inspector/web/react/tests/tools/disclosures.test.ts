import { Disclosures } from 'sandbox-agent-react';
import { describe, expect, it } from 'vitest';

function storage() {
  const values = new Map<string, string>();
  return {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
  };
}

describe('what is open', () => {
  it('stays open when the call that opened it ends', () => {
    const store = new Disclosures();
    expect(store.isOpen('a', true)).toBe(true);
    store.keep('a');
    expect(store.isOpen('a', false)).toBe(true);
  });

  it('is what a person chose, also after a reload', () => {
    const kept = storage();
    const store = new Disclosures(kept);
    store.keep('a');
    store.set('a', false);
    store.set('__proto__', true);
    const again = new Disclosures(kept);
    expect([again.isOpen('a', true), again.isOpen('__proto__', false)]).toEqual([false, true]);
  });

  it('is forgotten, the oldest first, when it becomes too much', () => {
    const store = new Disclosures();
    for (let at = 0; at <= Disclosures.MAX; at += 1) store.set(`${at}`, true);
    expect([store.chosen('0'), store.chosen('1')]).toEqual([undefined, true]);
  });

  it('survives a storage with something else in it', () => {
    const kept = storage();
    kept.setItem('disclosures', '{"a": [1');
    expect(new Disclosures(kept).isOpen('a', false)).toBe(false);
  });
});
