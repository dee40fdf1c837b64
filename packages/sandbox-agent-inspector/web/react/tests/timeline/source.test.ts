import { expect, test } from 'vitest';
import type { EventLike } from '../../src/timeline/event.ts';
import { filterRows, toggled, typeGroups } from '../../src/timeline/filter.ts';
import { TimelineRows } from '../../src/timeline/rows.ts';
import { isHighlighted } from '../../src/timeline/selection.ts';
import { eventOfSeq, PagedSource, placeOfSeq } from '../../src/timeline/source.ts';

function logOf(count: number) {
  const events: EventLike[] = [];
  for (let seq = 1; seq <= count; seq += 1) {
    events.push({
      seq,
      type: seq % 2 ? 'message.delta' : 'tool.updated',
      sender: 'agent',
      time: '',
      data: {},
    });
  }
  const read = async ({ after, limit }: { after: number; limit: number }) => {
    const page = events.filter((event) => event.seq > after).slice(0, limit);
    const nextCursor = page.at(-1)?.seq ?? after;
    return { events: page, nextCursor, hasMore: nextCursor < events.length };
  };
  return { events, read };
}

const seqs = (source: PagedSource) =>
  Array.from({ length: source.length }, (_, index) => source.at(index)?.seq);

test('pages of a log come from its end, without holes or doubles', async () => {
  const log = logOf(2_500);
  const source = new PagedSource(log.read, PagedSource.lastPage(2_500));
  await source.loadNewer();
  expect([source.length, source.at(0)?.seq, source.complete]).toEqual([1_000, 1_501, false]);
  await source.loadEarlier();
  expect(source.at(0)?.seq).toBe(501);
  await source.loadEarlier();
  await source.loadEarlier();
  expect(source.complete).toBe(true);
  log.events.push({ seq: 2_501, type: 'x', sender: 'agent', time: '', data: {} });
  await Promise.all([source.loadNewer(), source.loadNewer()]);
  expect(seqs(source)).toEqual(log.events.map((event) => event.seq));
  expect(eventOfSeq(source, 2_501)?.type).toBe('x');
  expect(eventOfSeq(source, 9_999)).toBeNull();
  expect(placeOfSeq(source, 0)).toBe(0);
});

test('a link far back is reached at once', async () => {
  const log = logOf(5_000);
  const source = new PagedSource(log.read, PagedSource.lastPage(5_000));
  await source.loadNewer();
  await source.loadEarlier(1_800);
  expect(source.at(0)?.seq).toBe(801);
  expect(seqs(source)).toHaveLength(4_200);
});

test('a page around an event is there with one request, and grows at both ends', async () => {
  const log = logOf(5_000);
  const source = new PagedSource(log.read, PagedSource.pageAround(2_500));
  await source.loadNewer(1);
  expect([source.begin, source.at(0)?.seq, source.length]).toEqual([2_000, 2_001, 1_000]);
  await source.loadNewer(1);
  await source.loadEarlier();
  expect([source.at(0)?.seq, source.at(source.length - 1)?.seq]).toEqual([1_001, 4_000]);
});

test('a page that cannot be read is told of, and asked for again', async () => {
  const log = logOf(10);
  let fails = true;
  const source = new PagedSource(async (query) => {
    if (fails) throw new Error('no answer');
    return log.read(query);
  }, PagedSource.lastPage(10));
  await source.loadNewer();
  expect([source.isRead, source.problem?.message]).toEqual([true, 'no answer']);
  fails = false;
  await source.loadNewer();
  expect([source.length, source.problem]).toEqual([10, null]);
});

test('types are grouped by their families, with counts', () => {
  const counts = new Map([
    ['tool.started', 2],
    ['error', 1],
    ['tool.completed', 1],
  ]);
  expect(typeGroups(counts)).toEqual([
    { family: 'error', count: 1, types: [{ type: 'error', count: 1 }] },
    {
      family: 'tool',
      count: 3,
      types: [
        { type: 'tool.completed', count: 1 },
        { type: 'tool.started', count: 2 },
      ],
    },
  ]);
});

test('rows are filtered by type and by text', () => {
  const rows = new TimelineRows();
  const push = (seq: number, type: string, data: unknown) =>
    rows.push({ seq, type, data, sender: 'agent', time: '2026-11-23T12:00:00Z' });
  push(1, 'tool.started', { toolCallId: 'a', title: 'Read Session.py' });
  push(2, 'tool.completed', { toolCallId: 'a', status: 'completed' });
  push(3, 'error', { message: 'no' });
  const all = { hidden: new Set<string>(), text: '' };
  expect(filterRows(rows.rows, all)).toBe(rows.rows);
  const noTools = toggled(all.hidden, ['tool.started', 'tool.completed'], false);
  expect(filterRows(rows.rows, { ...all, hidden: noTools }).map((row) => row.family)).toEqual([
    'error',
  ]);
  const noStarts = toggled(all.hidden, ['tool.started'], false);
  expect(filterRows(rows.rows, { ...all, hidden: noStarts })).toHaveLength(2);
  expect(filterRows(rows.rows, { ...all, text: ' session' })).toHaveLength(1);
  expect(filterRows(rows.rows, { ...all, text: 'deep' }, () => 'Deep inside')).toHaveLength(2);
});

test('the same thing is meant by its key, else by its events', () => {
  const highlight = { sessionId: 's', key: 'tool:a', from: 5, to: 9, origin: 'chat' as const };
  expect(isHighlighted(highlight, 's', { key: 'tool:a', from: 1, to: 1 })).toBe(true);
  expect(isHighlighted(highlight, 's', { key: 'tool:b', from: 6, to: 6 })).toBe(false);
  expect(isHighlighted(highlight, 's', { key: null, from: 9, to: 12 })).toBe(true);
  expect(isHighlighted(highlight, 's', { key: 'turn:x', from: 1, to: 20 })).toBe(false);
  expect(isHighlighted(highlight, 'other', { key: 'tool:a', from: 5, to: 9 })).toBe(false);
});
