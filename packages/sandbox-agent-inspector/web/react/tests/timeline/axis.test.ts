import { expect, test } from 'vitest';
import {
  axisOf,
  durationLabel,
  offsetLabel,
  positionOf,
  ticksOf,
  windowAround,
} from '../../src/timeline/axis.ts';

const HOUR = 3_600_000;
const span = (start: number, end = start, open = false) => ({ start, end, open });

test('idle hours are cut out, and seen as gaps', () => {
  const axis = axisOf([span(0, 10_000), span(5_000, 8_000), span(3 * HOUR, 3 * HOUR + 4_000)], 0);
  expect(axis.pieces).toEqual([
    { start: 0, end: 10_000, offset: 0 },
    { start: 3 * HOUR, end: 3 * HOUR + 4_000, offset: 10_560 },
  ]);
  expect(axis.gaps).toEqual([{ at: 10_000, duration: 3 * HOUR - 10_000 }]);
  expect(axis.length).toBe(14_560);
  expect([0, 5_000, 10_000, HOUR, 3 * HOUR, 4 * HOUR].map((at) => positionOf(axis, at))).toEqual([
    0, 5_000, 10_000, 10_000, 10_560, 14_560,
  ]);
});

test('what is open goes on until now', () => {
  expect(axisOf([span(0, 0, true)], 7_000).length).toBe(7_000);
  expect(axisOf([], 7_000).length).toBe(0);
  expect(axisOf([span(Number.NaN)], 1).length).toBe(0);
});

test('a window stays inside of the axis', () => {
  const axis = axisOf([span(0, 60_000), span(20_000, 100_000)], 0);
  expect(windowAround(axis, 0, 10_000)).toEqual({ from: 0, width: 10_000 });
  expect(windowAround(axis, 50_000, 10_000)).toEqual({ from: 45_000, width: 10_000 });
  expect(windowAround(axis, 99_000, 10_000)).toEqual({ from: 90_000, width: 10_000 });
  expect(windowAround(axis, 0, Number.MAX_VALUE)).toEqual({ from: 0, width: 100_000 });
});

test('ticks are round, few, and inside', () => {
  const ticks = ticksOf({ from: 3_000, width: 60_000 }, 5);
  expect(ticks.map((tick) => tick.label)).toEqual(['20s', '40s', '1:00']);
  for (const width of [1, 20, 333, 4_567, 98_765, 7_654_321, 9e9]) {
    const some = ticksOf({ from: 12_345, width }, 5);
    expect(some.length).toBeLessThanOrEqual(6);
    for (const tick of some) expect(tick.at >= 0 && tick.at <= 1).toBe(true);
  }
});

test('times are told as people tell them', () => {
  expect([0, 250, 1_500, 20_000, 80_000, 2 * HOUR].map(offsetLabel)).toEqual([
    '0s',
    '250ms',
    '1.5s',
    '20s',
    '1:20',
    '2:00:00',
  ]);
  expect([3, 234, 14_000, 252_000, 2 * HOUR + 300_000, 72 * HOUR].map(durationLabel)).toEqual([
    '3 ms',
    '234 ms',
    '14.0 s',
    '4:12',
    '2 h 05',
    '3 days',
  ]);
});
