import { expect, test } from 'vitest';
import { CHILDREN, initialView, jsonRows, withMore, withToggled } from '../../src/timeline/json.ts';

const names = (rows: ReturnType<typeof jsonRows>) => rows.map((row) => row.name ?? row.kind);

test('an event is open where it is short', () => {
  const value = { seq: 1, data: { input: { command: 'ls' }, many: Array.from({ length: 13 }) } };
  expect(names(jsonRows(value, initialView(value)))).toEqual([
    'object',
    'seq',
    'data',
    'input',
    'command',
    'many',
  ]);
});

test('children beyond 200 wait for "more"', () => {
  const value = Array.from({ length: 450 }, (_, index) => index);
  let view = initialView(value);
  let rows = jsonRows(value, view);
  expect(rows).toHaveLength(1 + CHILDREN + 1);
  expect(rows.at(-1)).toMatchObject({ kind: 'more', size: 250 });
  view = withMore(view, rows.at(-1)?.path ?? '');
  rows = jsonRows(value, view);
  expect(rows.at(-1)).toMatchObject({ kind: 'more', size: 50 });
  view = withMore(view, rows.at(-1)?.path ?? '');
  expect(jsonRows(value, view)).toHaveLength(451);
});

test('names that look like paths, and those of prototypes, are names', () => {
  const value = JSON.parse(
    '{"a/\\"b\\"": {"c": 1}, "a": {"b": {"c": 2}}, "__proto__": {"x": 1}, "…": [1]}',
  );
  const rows = jsonRows(value, initialView(value));
  expect(new Set(rows.map((row) => row.path)).size).toBe(rows.length);
  expect(names(rows)).toContain('__proto__');
  const closed = withToggled(initialView(value), '$/"__proto__"');
  expect(names(jsonRows(value, closed))).not.toContain('x');
});

test('a value nested deeper than calls can be is shown', () => {
  let value: unknown = 1;
  const depth = 50_000;
  for (let level = 0; level < depth; level += 1) value = [value];
  const rows = jsonRows(value, initialView(value));
  expect(rows.length).toBeGreaterThan(1);
  expect(rows.at(-1)?.open).toBe(false);
});
