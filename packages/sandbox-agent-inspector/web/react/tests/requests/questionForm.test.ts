import type { Question } from 'sandbox-agent-client';
import { describe, expect, test } from 'vitest';
import {
  answerOf,
  bodyOf,
  choose,
  EMPTY_DRAFT,
  optionsOf,
  problemOf,
  takesOther,
  unanswered,
} from '../../src/requests/questionForm.ts';

const COLOUR: Question = {
  id: 'colour',
  question: 'Which?',
  options: [{ label: 'Red' }, { label: 'Blue' }],
};
const EXTRAS: Question = { ...COLOUR, id: 'extras', multiSelect: true };
const LEVEL: Question = {
  id: 'level',
  question: 'How much?',
  answerType: 'integer',
  options: [
    { label: 'Some', value: 1 },
    { label: 'All', value: 2 },
  ],
};

describe('answers', () => {
  test('of one choice are its label, or the value that stands for it', () => {
    expect(answerOf(COLOUR, choose(COLOUR, EMPTY_DRAFT, 1))).toBe('Blue');
    expect(answerOf(LEVEL, choose(LEVEL, EMPTY_DRAFT, 1))).toBe(2);
  });

  test('of several choices are a list in the order of the options', () => {
    const draft = choose(EXTRAS, choose(EXTRAS, EMPTY_DRAFT, 1), 0);
    expect(answerOf(EXTRAS, draft)).toEqual(['Red', 'Blue']);
    expect(answerOf(EXTRAS, choose(EXTRAS, draft, 0))).toEqual(['Blue']);
  });

  test("may be words of one's own where the options are words", () => {
    expect(takesOther(COLOUR)).toBe(true);
    expect(takesOther(LEVEL)).toBe(false);
    expect(answerOf(COLOUR, { chosen: [], text: ' green ', isOther: true })).toBe('green');
    expect(answerOf(EXTRAS, { chosen: [0], text: 'dots', isOther: true })).toEqual(['Red', 'dots']);
  });

  test('have the type that the agent asks for', () => {
    const free = (answerType: string): Question => ({ id: 'q', question: '?', answerType });
    expect(answerOf(free('number'), { ...EMPTY_DRAFT, text: '1.5' })).toBe(1.5);
    expect(answerOf(free('string'), { ...EMPTY_DRAFT, text: '1.5' })).toBe('1.5');
    const yes = free('boolean');
    expect(optionsOf(yes).map((one) => one.label)).toEqual(['Yes', 'No']);
    expect(answerOf(yes, choose(yes, EMPTY_DRAFT, 1))).toBe(false);
  });

  test('of a question whose id is any text arrive under it', () => {
    const odd: Question = { id: '__proto__', question: '?', options: [] };
    const drafts = Object.fromEntries([['__proto__', { ...EMPTY_DRAFT, text: 'x' }]]);
    const { answers } = bodyOf([odd], drafts);
    expect(Object.entries(answers ?? {})).toEqual([['__proto__', 'x']]);
  });
});

describe('problems', () => {
  test('a listed question wants an answer, one of a schema only where it is required', () => {
    expect(unanswered([COLOUR, EXTRAS], {})).toEqual(['colour']);
    const optional: Question = { id: 'q', question: '?', answerType: 'string' };
    expect(problemOf(optional, EMPTY_DRAFT)).toBeNull();
    expect(problemOf({ ...optional, required: true }, EMPTY_DRAFT)).not.toBeNull();
  });

  test('numbers have to be numbers', () => {
    const whole: Question = { id: 'q', question: '?', answerType: 'integer' };
    expect(problemOf(whole, { ...EMPTY_DRAFT, text: '1.5' })).not.toBeNull();
    expect(problemOf(whole, { ...EMPTY_DRAFT, text: '-3' })).toBeNull();
    expect(
      problemOf({ ...whole, answerType: 'number' }, { ...EMPTY_DRAFT, text: 'x' }),
    ).not.toBeNull();
  });

  test('"something else" needs its words', () => {
    expect(problemOf(COLOUR, { chosen: [], text: '', isOther: true })).not.toBeNull();
  });
});
