import { wordMarks } from 'sandbox-agent-react';
import { describe, expect, it } from 'vitest';

describe('words that changed', () => {
  it('are marked on both sides', () => {
    const marks = wordMarks('if self.exp < now():', 'if self.exp <= now():');
    const text = 'if self.exp <= now():';
    expect(marks?.new.map(({ from, to }) => text.slice(from, to))).toEqual(['=']);
    expect(marks?.old).toEqual([]);
  });

  it('are not when most of the line changed', () => {
    expect(wordMarks('alpha beta gamma', 'one two three')).toBeNull();
  });

  it('are not in lines that are very long', () => {
    expect(wordMarks('a'.repeat(5000), `${'a'.repeat(5000)}b`)).toBeNull();
  });
});
