import { describe, expect, it } from 'vitest';
import { parseLines, writtenLines } from '../../src/files/lines.ts';
import {
  baseName,
  extensionOf,
  isWithin,
  parentPath,
  pathBelow,
  problemOfName,
  resolvePath,
} from '../../src/files/paths.ts';

describe('paths', () => {
  it('are taken apart and put together', () => {
    expect(baseName('/w/a b')).toBe('a b');
    expect(baseName('/')).toBe('/');
    expect(parentPath('/w')).toBe('/');
    expect(pathBelow('/w/src/a', '/w')).toBe('src/a');
    expect(pathBelow('/web', '/w')).toBe('/web');
    expect(isWithin('/web', '/w')).toBe(false);
    expect(isWithin('/w/x', '/')).toBe(true);
    expect(resolvePath('../x', '/w/a')).toBe('/w/x');
    expect(extensionOf('/w/.env')).toBe('');
    expect(extensionOf('/w/A.PY')).toBe('py');
  });

  it('have names that can be', () => {
    expect(problemOfName('src/new.txt')).toBeNull();
    for (const bad of ['', ' ', '../x', 'a/./b', '/etc', 'a\0b', 'ä'.repeat(200)])
      expect(problemOfName(bad), bad).not.toBeNull();
  });
});

describe('lines in a link', () => {
  it('are read as they are written', () => {
    expect(parseLines('L10-L20')).toEqual({ from: 10, to: 20 });
    expect(parseLines('L20-10')).toEqual({ from: 10, to: 20 });
    expect(parseLines('L7')).toEqual({ from: 7, to: 7 });
    for (const bad of ['', 'L0', 'x', 'L1-Lx', null]) expect(parseLines(bad)).toBeNull();
    expect(writtenLines({ from: 3, to: 4 })).toBe('L3-L4');
    expect(parseLines(writtenLines({ from: 5, to: 5 }))).toEqual({ from: 5, to: 5 });
  });
});
