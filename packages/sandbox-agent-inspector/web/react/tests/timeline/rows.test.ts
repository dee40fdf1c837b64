import { describe, expect, test } from 'vitest';
import type { EventLike } from '../../src/timeline/event.ts';
import { rowOfSeq, TimelineRows } from '../../src/timeline/rows.ts';
import { RowKeeper } from '../../src/timeline/useTimelineRows.ts';

const START = Date.parse('2026-11-23T12:00:00Z');

function event(
  seq: number,
  type: string,
  data: unknown = {},
  turnId: string | null = 't1',
): EventLike {
  return {
    seq,
    type,
    data,
    turnId,
    sender: 'agent',
    time: new Date(START + seq * 1000).toISOString(),
  };
}

function rowsOf(events: readonly EventLike[], options = {}) {
  const rows = new TimelineRows(options);
  for (const one of events) rows.push(one);
  return rows.rows;
}

const TURN = [
  event(1, 'turn.started', { text: 'Fix\nthe test' }),
  event(2, 'tool.started', { toolCallId: 'c', title: 'pytest', kind: 'execute' }),
  event(3, 'permission.requested', { requestId: 'r', command: 'pytest -q' }),
  event(5, 'permission.resolved', {
    requestId: 'r',
    outcome: 'selected',
    optionName: 'Allow',
    actor: 'ana',
  }),
  event(6, 'tool.completed', { toolCallId: 'c', status: 'failed' }),
  event(7, 'message.completed', { messageId: 'm', text: 'It failed.' }),
  event(9, 'turn.ended', { stopReason: 'end_turn' }),
];

describe('rows', () => {
  test('a call, a request and a turn are one row each, from their first to their last event', () => {
    const rows = rowsOf(TURN);
    expect(rows.map((row) => [row.key, row.seqs, (row.end - row.start) / 1000])).toEqual([
      ['turn:t1', [1, 9], 8],
      ['tool:t1:c', [2, 6], 4],
      ['request:r', [3, 5], 2],
      ['message:7', [7], 0],
    ]);
    expect(rows.map((row) => row.state)).toEqual(['ok', 'failed', 'ok', 'ok']);
    expect(rows[0]).toMatchObject({ title: 'Fix the test', detail: '', open: false });
    expect(rows[2]).toMatchObject({ title: 'pytest -q', detail: 'Allow, ana' });
  });

  test('what is not over is open, and waits if it is a request', () => {
    const rows = rowsOf(TURN.slice(0, 3));
    expect(rows.map((row) => [row.open, row.state])).toEqual([
      [true, 'running'],
      [true, 'running'],
      [true, 'waiting'],
    ]);
  });

  test('an update after the end does not open a call again', () => {
    const [, , call] = rowsOf([
      ...TURN,
      event(10, 'tool.updated', { toolCallId: 'c' }),
    ]).toReversed();
    expect(call).toMatchObject({
      key: 'tool:t1:c',
      open: false,
      state: 'failed',
      seqs: [2, 6, 10],
    });
  });

  test('an id that is used again in another turn is another call', () => {
    const rows = rowsOf([
      event(1, 'tool.started', { toolCallId: '0' }),
      event(2, 'tool.completed', { toolCallId: '0', status: 'completed' }),
      event(3, 'tool.updated', { toolCallId: '0', late: true }, 't2'),
      event(4, 'tool.started', { toolCallId: '0' }, 't2'),
      event(5, 'tool.completed', { toolCallId: '0', status: 'failed' }, 't2'),
    ]);
    expect(rows.map((row) => [row.key, row.seqs, row.state])).toEqual([
      ['tool:t1:0', [1, 2, 3], 'ok'],
      ['tool:t2:0', [4, 5], 'failed'],
    ]);
  });

  test('deltas are part of their message, or rows of their own', () => {
    const events = [
      event(1, 'message.delta', { messageId: 'm', text: 'He' }),
      event(2, 'message.delta', { messageId: 'm', text: 'llo' }),
      event(3, 'message.completed', { messageId: 'm', text: 'Hello' }),
    ];
    const [row, ...none] = rowsOf(events);
    expect(none).toEqual([]);
    expect(row).toMatchObject({ seqs: [1, 2, 3], title: 'Hello', state: 'ok' });
    expect(rowsOf(events, { deltas: true }).map((one) => one.seqs)).toEqual([[1], [2], [3]]);
  });

  test('messages without an id are told apart by their completion', () => {
    const rows = rowsOf([
      event(1, 'message.delta', { text: 'a' }),
      event(2, 'message.completed', { text: 'a' }),
      event(3, 'message.delta', { text: 'b' }),
      event(4, 'message.completed', { text: 'b' }),
    ]);
    expect(rows.map((row) => row.seqs)).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  test('no row is without a label, whatever its event says', () => {
    const rows = rowsOf([
      event(1, 'agent.started', {}),
      event(2, 'something.new_here', {}),
      event(3, 'turn.started', { origin: 'agent' }),
    ]);
    expect(rows.map((row) => row.title)).toEqual([
      'agent started',
      'something new here',
      'went on by itself',
    ]);
  });

  test('names of prototypes are ids, types and keys like any other', () => {
    const rows = rowsOf([
      event(1, 'tool.started', { toolCallId: '__proto__', title: 'constructor' }),
      event(2, 'constructor', JSON.parse('{"__proto__": {"title": "x"}}')),
      event(3, 'tool.completed', { toolCallId: '__proto__', status: 'completed' }),
      event(4, 'tool.started', null),
    ]);
    expect(rows.map((row) => [row.key, row.title])).toEqual([
      ['tool:t1:__proto__', 'constructor'],
      ['event:2', 'constructor'],
      ['event:4', 'tool started'],
    ]);
  });

  test('a row is found by any of its events, and by the nearest before', () => {
    const rows = rowsOf(TURN);
    expect([1, 2, 3, 5, 6, 7, 9].map((seq) => rows[rowOfSeq(rows, seq)]?.key)).toEqual([
      'turn:t1',
      'tool:t1:c',
      'request:r',
      'request:r',
      'tool:t1:c',
      'message:7',
      'turn:t1',
    ]);
    expect(rowOfSeq(rows, 8)).toBe(3);
    expect(rowOfSeq(rows, 0)).toBe(0);
    expect(rowOfSeq([], 3)).toBe(-1);
  });
});

describe('a log that grows', () => {
  function source(events: EventLike[]) {
    return {
      get length() {
        return events.length;
      },
      at: (index: number) => events[index],
      subscribe: () => () => {},
    };
  }

  test('takes what is new at its end, also when deltas have left', () => {
    const log = [TURN[0], event(2, 'message.delta', { messageId: 'm', text: 'a' })] as EventLike[];
    const keeper = new RowKeeper(source(log), {});
    expect(keeper.update().rows).toHaveLength(2);
    log.splice(1, 1, event(3, 'message.completed', { messageId: 'm', text: 'ab' }));
    const { rows } = keeper.update();
    expect(rows).toHaveLength(2);
    expect(rows[1]).toMatchObject({ title: 'ab', seqs: [2, 3] });
  });

  test('begins again when older events come before', () => {
    const log = TURN.slice(4);
    const keeper = new RowKeeper(source(log), {});
    expect(keeper.update().rows[0]?.key).toBe('tool:t1:c');
    log.unshift(...TURN.slice(0, 4));
    expect(keeper.update().rows.map((row) => row.key)[0]).toBe('turn:t1');
    expect(keeper.update().counts.get('turn.started')).toBe(1);
  });
});
