import type { Transcript, Turn } from 'sandbox-agent-client';
import { describe, expect, it } from 'vitest';
import type { GroupItems, TurnItem } from '../../src/conversation/items.ts';
import { RowModel, rowKeyOfSeq, rowKeyOfTurn } from '../../src/conversation/rows.ts';

const time = (second: number) => `2026-11-23T12:00:${String(second).padStart(2, '0')}.000Z`;
const tool = (id: string, seq: number, more: Partial<TurnItem> = {}) =>
  ({
    type: 'tool',
    toolCallId: id,
    seq,
    time: time(seq),
    status: 'completed',
    ...more,
  }) as TurnItem;
const message = (text: string, seq: number, more: Partial<TurnItem> = {}) =>
  ({ type: 'message', id: null, text, seq, time: time(seq), ...more }) as TurnItem;

function turn(id: string | null, items: TurnItem[], more: Partial<Turn> = {}): Turn {
  return {
    id,
    prompt: id ? [{ type: 'text', text: 'Do it' }] : null,
    items,
    startedAt: time(0),
    ...more,
  };
}
const ended = { stopReason: 'end_turn', endedAt: time(30) } as const;
const kinds = (turns: Turn[], group?: GroupItems) =>
  new RowModel(group).rows({ turns }).map((row) => row.kind);

describe('rows', () => {
  it('are the prompt, what came of it, and the end of a turn', () => {
    expect(kinds([turn('t1', [message('a', 2), tool('c1', 3), message('b', 4)], ended)])).toEqual([
      'prompt',
      'message',
      'tool',
      'message',
      'summary',
    ]);
    expect(kinds([turn('t1', [])])).toEqual(['prompt', 'working']);
  });

  it('say what went wrong before the end', () => {
    const error = { code: 'agent_error', message: 'no' };
    expect(kinds([turn('t1', [], { ...ended, stopReason: 'error', error })])).toEqual([
      'prompt',
      'error',
      'summary',
    ]);
  });

  it('leave to a sub-agent what it did, but show what has lost its parent', () => {
    const items = [
      tool('task', 2),
      tool('inner', 3, { parentToolCallId: 'task' }),
      message('inside', 4, { parentToolCallId: 'task' }),
      tool('lost', 5, { parentToolCallId: 'gone' }),
    ];
    const rows = new RowModel().rows({ turns: [turn('t1', items, ended)] });
    expect(rows.map((row) => row.key)).toEqual([
      'prompt:t1',
      'tool:t1:task',
      'tool:t1:lost',
      'end:t1',
    ]);
  });

  it('have what was said meanwhile where it was said', () => {
    const steered = [{ content: [{ type: 'text' as const, text: 'hurry' }], time: time(3) }];
    expect(kinds([turn('t1', [message('a', 2), tool('c1', 5)], { steered, ...ended })])).toEqual([
      'prompt',
      'message',
      'steered',
      'tool',
      'summary',
    ]);
  });

  it('put calls together as they are told', () => {
    const group: GroupItems = (items) => {
      const tools = items.filter((item) => item.type === 'tool');
      return [tools, ...items.filter((item) => item.type !== 'tool')];
    };
    expect(
      kinds([turn('t1', [tool('a', 2), tool('b', 3), message('x', 4)], ended)], group),
    ).toEqual(['prompt', 'quiet', 'message', 'summary']);
  });

  it('keep their keys when a message is completed, and their identity when nothing changed', () => {
    const model = new RowModel();
    const first = turn('t1', [message('done', 2)], ended);
    const before = model.rows({
      turns: [first, turn('t2', [message('a', 5, { streaming: true })])],
    });
    const now = model.rows({ turns: [first, turn('t2', [message('ab', 9)], ended)] });
    expect(now.map((row) => row.key)).toEqual(before.map((row) => row.key));
    expect(now.slice(0, 3).every((row, index) => row === before[index])).toBe(true);
  });

  it('are other objects only where what they show is another', () => {
    const model = new RowModel();
    const said = message('first', 2, { id: 'm1' });
    const call = tool('c1', 3);
    const rowsOf = (items: TurnItem[], more: Partial<Turn> = {}) =>
      new Map(
        model.rows({ turns: [turn('t1', items, more)] }).map((row) => [row.kind + row.key, row]),
      );
    const others = (one: ReturnType<typeof rowsOf>, other: ReturnType<typeof rowsOf>) =>
      [...other].filter(([key, row]) => one.get(key) !== row).map(([, row]) => row.kind);
    const prompt = [{ type: 'text' as const, text: 'Do it' }];

    const first = rowsOf([said, call, message('a', 4, { id: 'm2' })], { prompt });
    const longer = rowsOf([said, call, message('ab', 4, { id: 'm2' })], { prompt });
    expect(others(first, longer)).toEqual(['message']);

    // Who asks about a call changes what its row says.
    const asks = {
      type: 'permission',
      requestId: 'r1',
      toolCall: { toolCallId: 'c1' },
      seq: 5,
      time: time(5),
    } as TurnItem;
    const items = [said, call, message('ab', 4, { id: 'm2' })];
    expect(others(longer, rowsOf([...items, asks], { prompt }))).toContain('tool');

    // The end copies what was said, though it came late.
    const over = rowsOf(items, { prompt, ...ended });
    const late = rowsOf([...items.slice(0, 2), message('abc', 9, { id: 'm2' })], {
      prompt,
      ...ended,
    });
    expect(others(over, late)).toEqual(['message', 'summary']);
  });

  it('have queued prompts last', () => {
    const transcript: Transcript = {
      turns: [turn('t1', [])],
      queued: [{ turnId: 't2', prompt: [], queuedAt: time(1) }],
    };
    const rows = new RowModel().rows(transcript);
    expect(rows.at(-1)).toMatchObject({ kind: 'queued', key: 'queued:t2', position: 1 });
    expect(rowKeyOfTurn(rows, 't2')).toBe('queued:t2');
  });

  it('are found by an event and by a turn', () => {
    const rows = new RowModel().rows({
      turns: [
        turn('t1', [message('a', 4)], ended),
        turn('t2', [tool('c', 20), message('b', 30, { id: 'm' })]),
      ],
    });
    expect(rowKeyOfSeq(rows, 20)).toBe('tool:t2:c');
    expect(rowKeyOfSeq(rows, 25)).toBe('tool:t2:c');
    expect(rowKeyOfSeq(rows, 99)).toBe('message:m');
    expect(rowKeyOfSeq(rows, 1)).toBe('message:@t1');
    expect(rowKeyOfTurn(rows, 't2')).toBe('prompt:t2');
    expect(rowKeyOfTurn(rows, 'nowhere')).toBeNull();
  });

  it('show calls that are inside of each other: nobody else would', () => {
    const within = [
      tool('a', 1, { parentToolCallId: 'b' }),
      tool('b', 2, { parentToolCallId: 'a' }),
      tool('c', 3, { parentToolCallId: 'c' }),
    ];
    expect(kinds([turn('t', within, ended)])).toEqual([
      'prompt',
      'tool',
      'tool',
      'tool',
      'summary',
    ]);
  });

  it('take ids that are names of the language', () => {
    const rows = new RowModel().rows({
      turns: [turn('__proto__', [tool('constructor', 2)], ended)],
    });
    expect(rows.map((row) => row.key)).toEqual([
      'prompt:__proto__',
      'tool:__proto__:constructor',
      'end:__proto__',
    ]);
  });
});
