import { describe, expect, it } from 'vitest';
import {
  FOLLOWING,
  type FollowInput,
  type FollowState,
  follow,
} from '../../src/conversation/follow.ts';

const after = (...inputs: FollowInput[]): FollowState =>
  inputs.reduce((state, input) => follow(state, input), FOLLOWING);
const tall = { type: 'grew', replyHeight: 700, viewHeight: 900 } as const;

describe('following', () => {
  it('begins at the end, or at the place that was left', () => {
    expect(after({ type: 'opened', restored: false }).mode).toBe('following');
    expect(after({ type: 'opened', restored: true }).mode).toBe('free');
  });

  it('ends when the reader looks at something, and counts what comes from then on', () => {
    const state = after(
      { type: 'left' },
      { type: 'rows came', count: 3 },
      { type: 'rows came', count: 1 },
    );
    expect(state).toEqual({ mode: 'free', asked: false, unread: 4 });
  });

  it('counts nothing while it follows', () => {
    expect(after({ type: 'rows came', count: 3 })).toBe(FOLLOWING);
  });

  it('begins again near the end, and only there', () => {
    expect(after({ type: 'left' }, { type: 'arrived', distance: 33 }).mode).toBe('free');
    expect(after({ type: 'left' }, { type: 'arrived', distance: 32 }).mode).toBe('following');
  });

  it('begins again with a prompt of the reader', () => {
    expect(after({ type: 'left' }, { type: 'rows came', count: 2 }, { type: 'sent' })).toEqual(
      FOLLOWING,
    );
  });

  it('stops before the beginning of an answer is pushed out', () => {
    expect(after({ ...tall, replyHeight: 600 }).mode).toBe('following');
    expect(after(tall).mode).toBe('free');
  });

  it('goes on with a long answer for who asked for its end', () => {
    expect(after(tall, { type: 'end asked' }, tall).mode).toBe('following');
    expect(after({ type: 'left' }, { type: 'arrived', distance: 0 }, tall).mode).toBe('following');
  });

  it('does not take the asking over to the next answer', () => {
    expect(after({ type: 'end asked' }, { type: 'sent' }, tall).mode).toBe('free');
  });

  it('goes on with every answer for who wants that always', () => {
    expect(follow(FOLLOWING, tall, { always: true })).toBe(FOLLOWING);
  });
});
