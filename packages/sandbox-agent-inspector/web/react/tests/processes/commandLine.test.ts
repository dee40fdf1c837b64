import { describe, expect, it } from 'vitest';
import { environmentOf, writtenCommand } from '../../src/processes/commandLine.ts';

describe('a command', () => {
  it('is written as one would type it', () => {
    expect(writtenCommand('git', ['commit', '-m', "it's done"])).toBe(
      `git commit -m 'it'\\''s done'`,
    );
    expect(writtenCommand('sh', ['-c', 'npm run dev && x'])).toBe('npm run dev && x');
    expect(writtenCommand('sh', ['script.sh', ''])).toBe("sh script.sh ''");
  });
});

describe('an environment', () => {
  it('is read line by line', () => {
    const text = 'A=1\n\n# no\nexport B="two words"\n C=a=b';
    expect(environmentOf(text)).toEqual({ A: '1', B: 'two words', C: 'a=b' });
    expect(() => environmentOf('A=1\nwrong')).toThrow('Line 2');
  });
});
