/** What a diff shows, row by row: lines, and folds where nothing changed. */
import { type DiffLine, type FileDiff, withoutEnd } from './model.ts';
import { changeRuns } from './whitespace.ts';

export interface LineRow {
  readonly type: 'line';
  readonly id: string;
  readonly line: DiffLine;
  /** The line that it came from or became, where they stand in for each other. */
  readonly counterpart: DiffLine | null;
  /** Its run of changes is the nth of the file, and it is the first of it. */
  readonly change: number | null;
}

export interface PairRow {
  readonly type: 'pair';
  readonly id: string;
  readonly old: DiffLine | null;
  readonly new: DiffLine | null;
  readonly change: number | null;
}

export interface FoldRow {
  readonly type: 'fold';
  readonly id: string;
  /** Hidden lines; null where nobody knows how many. */
  readonly count: number | null;
  /** They are known and can be shown. */
  readonly canOpen: boolean;
  /** What git says they are part of. */
  readonly section: string;
}

export type DiffRow = LineRow | FoldRow;
export type SplitRow = PairRow | FoldRow;

/** Lines that were opened of each fold, from its top and from its bottom. */
export type Opened = ReadonlyMap<string, { readonly top: number; readonly bottom: number }>;

/** How many unchanged lines stand beside a change. */
const CONTEXT = 3;
/** Fewer are not worth a fold. */
const MIN_FOLDED = 3;

type Piece = DiffLine | { readonly gap: number | null; readonly section: string };

export function diffRows(file: FileDiff, opened: Opened): DiffRow[] {
  const rows: DiffRow[] = [];
  let change = 0;
  let run: DiffLine[] = [];
  const pieces = piecesOf(file);
  const flush = (isFirst: boolean, isLast: boolean) => {
    if (run.length > 0) rows.push(...folded(run, isFirst, isLast, opened));
    run = [];
  };
  for (let at = 0; at < pieces.length; ) {
    const piece = pieces[at];
    if (piece === undefined) break;
    if ('gap' in piece) {
      flush(false, true);
      if (piece.gap !== 0 || piece.section) {
        rows.push({
          type: 'fold',
          id: `gap-${rows.length}`,
          count: piece.gap,
          canOpen: false,
          section: piece.section,
        });
      }
      at += 1;
      continue;
    }
    if (piece.kind === 'context') {
      run.push(piece);
      at += 1;
      continue;
    }
    flush(!rows.some((row) => row.type === 'line'), false);
    const lines: DiffLine[] = [];
    for (; at < pieces.length; at += 1) {
      const next = pieces[at];
      if (next === undefined || 'gap' in next || next.kind === 'context') break;
      lines.push(next);
    }
    for (const { from, mid, to } of changeRuns(lines)) {
      for (let index = from; index < to; index += 1) {
        const line = lines[index];
        if (line === undefined) continue;
        const isOld = index < mid;
        const other = isOld ? mid + index - from : from + index - mid;
        const isInOther = isOld ? other < to : other < mid;
        rows.push({
          type: 'line',
          id: rowId(line),
          line,
          counterpart: isInOther ? (lines[other] ?? null) : null,
          change: index === from ? change : null,
        });
      }
      change += 1;
    }
  }
  flush(!rows.some((row) => row.type === 'line'), true);
  return file.hunks.some(({ newStart }) => newStart === null) ? numbered(rows) : rows;
}

/** Lines whose place in the file nobody knows are told apart by their place in the diff. */
function numbered(rows: readonly DiffRow[]): DiffRow[] {
  return rows.map((row, index) => ({ ...row, id: `${index}` }));
}

/** The same side by side: what was removed beside what stands in for it. */
export function splitRows(rows: readonly DiffRow[]): SplitRow[] {
  const result: SplitRow[] = [];
  for (let at = 0; at < rows.length; ) {
    const row = rows[at];
    if (row === undefined) break;
    if (row.type === 'fold') {
      result.push(row);
      at += 1;
      continue;
    }
    if (row.line.kind === 'context') {
      result.push({ type: 'pair', id: row.id, old: row.line, new: row.line, change: null });
      at += 1;
      continue;
    }
    const removed: LineRow[] = [];
    const added: LineRow[] = [];
    for (; at < rows.length; at += 1) {
      const next = rows[at];
      if (next?.type !== 'line' || next.line.kind === 'context') break;
      // A new run begins: it is another pair of columns.
      if (next.line.kind === 'del' && added.length > 0) break;
      (next.line.kind === 'del' ? removed : added).push(next);
    }
    for (let index = 0; index < Math.max(removed.length, added.length); index += 1) {
      const old = removed[index];
      const now = added[index];
      result.push({
        type: 'pair',
        id: old?.id ?? now?.id ?? '',
        old: old?.line ?? null,
        new: now?.line ?? null,
        change: old?.change ?? now?.change ?? null,
      });
    }
  }
  return result;
}

/** How many runs of changes there are. */
export function changeCount(rows: readonly DiffRow[]): number {
  return rows.filter((row) => row.type === 'line' && row.change !== null).length;
}

function piecesOf(file: FileDiff): Piece[] {
  const pieces: Piece[] = [];
  let old = 1;
  let now = 1;
  const unchanged = (to: number) => {
    const whole = file.whole;
    if (whole === null) return;
    for (; now < to; now += 1, old += 1) {
      const text = whole.new[now - 1] ?? '';
      pieces.push({
        kind: 'context',
        text: withoutEnd(text),
        oldNumber: old,
        newNumber: now,
        noNewline: !text.endsWith('\n'),
      });
    }
  };
  file.hunks.forEach((hunk, index) => {
    const first = hunk.lines.find(({ newNumber }) => newNumber !== null)?.newNumber;
    const start = first ?? (hunk.newStart === null ? null : Math.max(1, hunk.newStart));
    if (file.whole !== null) {
      if (start !== null) unchanged(start);
    } else if (index > 0 || (start !== null && start > 1)) {
      pieces.push({
        gap: start === null ? null : Math.max(0, start - now),
        section: hunk.section,
      });
    }
    pieces.push(...hunk.lines);
    const last = hunk.lines.findLast(({ newNumber }) => newNumber !== null)?.newNumber;
    const lastOld = hunk.lines.findLast(({ oldNumber }) => oldNumber !== null)?.oldNumber;
    if (last != null) now = last + 1;
    else if (start !== null) now = start;
    if (lastOld != null) old = lastOld + 1;
  });
  if (file.whole !== null && file.hunks.length > 0) unchanged(file.whole.new.length + 1);
  return pieces;
}

function folded(
  run: readonly DiffLine[],
  isFirst: boolean,
  isLast: boolean,
  opened: Opened,
): DiffRow[] {
  const top = isFirst ? 0 : CONTEXT;
  const bottom = isLast ? 0 : CONTEXT;
  const show = (line: DiffLine): LineRow => ({
    type: 'line',
    id: rowId(line),
    line,
    counterpart: null,
    change: null,
  });
  if (isFirst && isLast) return run.map(show);
  const hidden = run.length - top - bottom;
  const at = run[top];
  if (hidden < MIN_FOLDED || at === undefined) return run.map(show);
  const id = rowId(at);
  const open = opened.get(id) ?? { top: 0, bottom: 0 };
  const left = hidden - open.top - open.bottom;
  if (left <= 0) return run.map(show);
  return [
    ...run.slice(0, top + open.top).map(show),
    { type: 'fold', id, count: left, canOpen: true, section: '' },
    ...run.slice(top + open.top + left).map(show),
  ];
}

function rowId({ kind, oldNumber, newNumber }: DiffLine): string {
  return `${kind[0]}${oldNumber ?? ''}:${newNumber ?? ''}`;
}
