/** The rows of a diff as semantic markup without looks: numbers and signs are attributes, so that text alone is copied. */
import { memo, type PointerEvent, type ReactNode, type Ref, useMemo } from 'react';
import { Virtualizer, type VirtualizerHandle } from 'virtua';
import type { DiffLine } from './model.ts';
import type { DiffRow, FoldRow, LineRow, PairRow, SplitRow } from './rows.ts';
import { FOLD_STEP } from './useDiff.ts';
import { type Mark, wordMarks } from './words.ts';

/** From so many rows on only those near the view exist. */
export const WINDOWED_ROWS = 800;

export type RenderCode = (line: DiffLine, marks: readonly Mark[]) => ReactNode;

export interface DiffTableProps {
  readonly rows: readonly (DiffRow | SplitRow)[];
  readonly openFold: (id: string, where: 'top' | 'bottom' | 'all') => void;
  /** The code of a line; `marks` are the words that changed. */
  readonly renderCode?: RenderCode;
  readonly className?: string;
  /** Of rows that are windowed. */
  readonly handle?: Ref<VirtualizerHandle>;
}

const NO_MARKS: readonly Mark[] = [];

export function DiffTable({
  rows,
  openFold,
  renderCode = plainCode,
  className,
  handle,
}: DiffTableProps) {
  const render = (row: DiffRow | SplitRow) => (
    <Row key={row.id} row={row} openFold={openFold} renderCode={renderCode} />
  );
  const isWindowed = rows.length > WINDOWED_ROWS;
  return (
    <div
      className={className}
      data-part="lines"
      data-windowed={isWindowed || undefined}
      onPointerDown={selectOneSide}
    >
      {isWindowed ? (
        <Virtualizer ref={handle} data={rows} bufferSize={600}>
          {render}
        </Virtualizer>
      ) : (
        rows.map(render)
      )}
    </div>
  );
}

/** Side by side, a selection stays on the side where it begins. */
function selectOneSide(event: PointerEvent<HTMLElement>): void {
  const target = event.target instanceof Element ? event.target : null;
  const side = target?.closest('[data-side]')?.getAttribute('data-side');
  if (side) event.currentTarget.setAttribute('data-selecting', side);
}

const Row = memo(function Row({
  row,
  openFold,
  renderCode,
}: {
  row: DiffRow | SplitRow;
  openFold: DiffTableProps['openFold'];
  renderCode: RenderCode;
}) {
  switch (row.type) {
    case 'fold':
      return <Fold row={row} openFold={openFold} />;
    case 'line':
      return <Unified row={row} renderCode={renderCode} />;
    default:
      return <Pair row={row} renderCode={renderCode} />;
  }
});

function Unified({ row, renderCode }: { row: LineRow; renderCode: RenderCode }) {
  const { line, counterpart } = row;
  const isOld = line.kind === 'del';
  const marks = useMarks(isOld ? line : counterpart, isOld ? counterpart : line);
  return (
    <div
      data-part="line"
      data-kind={line.kind}
      data-change={row.change ?? undefined}
      tabIndex={row.change === null ? undefined : -1}
    >
      <span data-part="number" data-number={line.oldNumber ?? ''} />
      <span data-part="number" data-number={line.newNumber ?? ''} />
      <Code line={line} marks={isOld ? marks?.old : marks?.new} renderCode={renderCode} />
    </div>
  );
}

function Pair({ row, renderCode }: { row: PairRow; renderCode: RenderCode }) {
  const isChange = row.old !== row.new;
  const marks = useMarks(isChange ? row.old : null, isChange ? row.new : null);
  return (
    <div
      data-part="pair"
      data-change={row.change ?? undefined}
      tabIndex={row.change === null ? undefined : -1}
    >
      <Half line={row.old} side="old" marks={marks?.old} renderCode={renderCode} />
      <Half line={row.new} side="new" marks={marks?.new} renderCode={renderCode} />
    </div>
  );
}

function Half({
  line,
  side,
  marks,
  renderCode,
}: {
  line: DiffLine | null;
  side: 'old' | 'new';
  marks: readonly Mark[] | undefined;
  renderCode: RenderCode;
}) {
  if (line === null) return <div data-part="half" data-side={side} data-kind="none" />;
  const number = side === 'old' ? line.oldNumber : line.newNumber;
  return (
    <div data-part="half" data-side={side} data-kind={line.kind}>
      <span data-part="number" data-number={number ?? ''} />
      <Code line={line} marks={marks} renderCode={renderCode} />
    </div>
  );
}

const ELEMENTS = { add: 'ins', del: 'del', context: 'span' } as const;

function Code({
  line,
  marks = NO_MARKS,
  renderCode,
}: {
  line: DiffLine;
  marks: readonly Mark[] | undefined;
  renderCode: RenderCode;
}) {
  const Element = ELEMENTS[line.kind];
  return (
    <Element data-part="code">
      {line.text === '' ? '\n' : renderCode(line, marks)}
      {line.noNewline && <span data-part="no-newline" title="No newline at the end of the file" />}
    </Element>
  );
}

function Fold({ row, openFold }: { row: FoldRow; openFold: DiffTableProps['openFold'] }) {
  const label =
    row.count === null ? '' : `${row.count} unchanged ${row.count === 1 ? 'line' : 'lines'}`;
  if (!row.canOpen) {
    return (
      <div data-part="fold">
        <span data-part="fold-label">{label}</span>
        {row.section && <span data-part="section">{row.section}</span>}
      </div>
    );
  }
  const isLong = (row.count ?? 0) > 2 * FOLD_STEP;
  return (
    <div data-part="fold" data-opens>
      {isLong && (
        <button
          type="button"
          aria-label={`Show the next ${FOLD_STEP} lines`}
          onClick={() => openFold(row.id, 'top')}
        >
          ↓ {FOLD_STEP}
        </button>
      )}
      <button type="button" data-part="fold-label" onClick={() => openFold(row.id, 'all')}>
        {label}
      </button>
      {isLong && (
        <button
          type="button"
          aria-label={`Show the ${FOLD_STEP} lines above`}
          onClick={() => openFold(row.id, 'bottom')}
        >
          ↑ {FOLD_STEP}
        </button>
      )}
    </div>
  );
}

function useMarks(old: DiffLine | null, now: DiffLine | null) {
  return useMemo(() => (old && now ? wordMarks(old.text, now.text) : null), [old, now]);
}

function plainCode(line: DiffLine, marks: readonly Mark[]): ReactNode {
  return markedPieces(line.text, marks).map(({ text, isMarked }, index) =>
    isMarked ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a line have no other name
      <mark key={index}>{text}</mark>
    ) : (
      text
    ),
  );
}

export function markedPieces(
  text: string,
  marks: readonly Mark[],
): { text: string; isMarked: boolean }[] {
  const pieces: { text: string; isMarked: boolean }[] = [];
  let at = 0;
  for (const { from, to } of marks) {
    if (from > at) pieces.push({ text: text.slice(at, from), isMarked: false });
    pieces.push({ text: text.slice(from, to), isMarked: true });
    at = to;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), isMarked: false });
  return pieces;
}
