import { describe, expect, it } from 'vitest';
import { sequenceOf, withHeld } from '../../src/terminal/keys.ts';
import { urlsIn } from '../../src/terminal/links.ts';
import { guardPaste } from '../../src/terminal/paste.ts';

const NONE = { control: false, alt: false };

describe('the key bar', () => {
  it('types what a keyboard would', () => {
    expect(sequenceOf('escape', NONE, false)).toBe('\x1b');
    expect(sequenceOf('up', NONE, false)).toBe('\x1b[A');
    expect(sequenceOf('up', NONE, true)).toBe('\x1bOA');
    expect(sequenceOf('left', { control: true, alt: false }, true)).toBe('\x1b[1;5D');
    expect(withHeld('c', { control: true, alt: false })).toBe('\x03');
    expect(withHeld('[', { control: true, alt: false })).toBe('\x1b');
    expect(withHeld('b', { control: false, alt: true })).toBe('\x1bb');
    expect(withHeld('ä', { control: true, alt: false })).toBe('ä');
  });
});

describe('a paste', () => {
  it('of one line is typed', () => {
    expect(guardPaste('ls -la', false)).toMatchObject({ text: 'ls -la', mustAsk: false });
  });

  it('of lines is asked about, where each would be carried out', () => {
    expect(guardPaste('ls\nrm -rf x\n', false)).toMatchObject({ lines: 3, mustAsk: true });
    expect(guardPaste('ls\nrm -rf x\n', true).mustAsk).toBe(false);
    expect(guardPaste('ls\rrm', false).mustAsk).toBe(true);
  });

  it('cannot end its own brackets, or hide what it does', () => {
    const guard = guardPaste('echo\x1b[201~; rm -rf x\x08\x9b', true);
    expect(guard).toMatchObject({ mustAsk: true, wasCleaned: true });
    expect(guard.text).toBe('echo[201~; rm -rf x');
  });
});

describe('addresses in output', () => {
  it('end where the sentence goes on', () => {
    const text = 'see https://a.example/x (or http://b.example/y(1)). ftp://c https://';
    expect(urlsIn(text).map(({ url }) => url)).toEqual([
      'https://a.example/x',
      'http://b.example/y(1)',
    ]);
    expect(urlsIn('javascript:alert(1)')).toEqual([]);
  });
});
