import type { ToolItem, Turn } from 'sandbox-agent-client';
import { childrenOf, groupQuiet, type Item, isGroup, quietSummary } from 'sandbox-agent-react';
import { describe, expect, it } from 'vitest';

let seq = 0;
function call(fields: Partial<ToolItem>): ToolItem {
  seq += 1;
  const time = '2026-11-23T12:00:00Z';
  return { type: 'tool', seq, time, toolCallId: `c${seq}`, status: 'completed', ...fields };
}

function shape(items: readonly Item[], turn?: Turn): string[] {
  return groupQuiet(items, turn).map((one) =>
    isGroup(one) ? `quiet ${one.length}` : one.type === 'tool' ? (one.kind ?? '') : one.type,
  );
}

describe('quiet calls', () => {
  const read = () => call({ kind: 'read', name: 'Read' });

  it('become one row where they are adjacent', () => {
    const items = [read(), call({ kind: 'search' }), call({ kind: 'execute' }), read()];
    expect(shape(items)).toEqual(['quiet 2', 'execute', 'quiet 1']);
  });

  it('never hide an edit, a failure, a sub-agent or what somebody was asked about', () => {
    const asked = read();
    const items: Item[] = [
      call({ kind: 'edit' }),
      call({ kind: 'read', status: 'failed' }),
      call({ kind: 'think', name: 'Task', input: { prompt: 'look' } }),
      asked,
      {
        type: 'permission',
        seq: 900,
        time: '',
        requestId: 'r',
        toolCall: { toolCallId: asked.toolCallId },
      },
    ];
    expect(shape(items)).toEqual(['edit', 'read', 'think', 'read', 'permission']);
  });

  it('hide nothing that has calls within it', () => {
    const parent = call({ kind: 'think', toolCallId: 'p' });
    const turn: Turn = { items: [parent, call({ kind: 'read', parentToolCallId: 'p' })] };
    expect(shape([parent], turn)).toEqual(['think']);
    expect(childrenOf(turn, 'p')).toHaveLength(1);
  });

  it('are counted in words', () => {
    const items = [read(), read(), read(), call({ kind: 'search' }), call({ kind: 'search' })];
    expect(quietSummary(items)).toBe('Read 3 files, searched 2×');
    expect(quietSummary([read(), call({ kind: 'fetch' })])).toBe('Read 1 file, fetched 1 page');
  });

  it('are no parents of themselves', () => {
    const self = call({ kind: 'read', toolCallId: 's', parentToolCallId: 's' });
    expect(childrenOf({ items: [self] }, 's')).toEqual([]);
  });
});
