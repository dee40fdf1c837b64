/** A list of rows of unknown heights, of which only those near the view exist. */
import {
  type ReactNode,
  type Ref,
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect as useLayoutEffectOfDom,
  useMemo,
  useRef,
  useState,
} from 'react';
import { Virtualizer, type VirtualizerHandle } from 'virtua';
import type { ScrollKeeper } from './keeper.ts';

const BUFFER_PX = 1000;
// On a server there is no layout, and React says so.
const useLayoutEffect = typeof document === 'undefined' ? useEffect : useLayoutEffectOfDom;
const MOST_KEPT = 200;
// The list takes no presses while it scrolls, which one that follows an answer does all the time.
const PRESSABLE = { pointerEvents: 'auto' } as const;

export interface VirtualRowsHandle {
  toEnd(): void;
  /** False when there is no such row. */
  toRow(key: string, align?: 'start' | 'center', offset?: number): boolean;
  /** Key of the row next to that which has the focus, or else is first in view. */
  neighbour(step: 1 | -1, accepts?: (key: string) => boolean): string | null;
  focusRow(key: string): void;
}

export interface VirtualRowsProps<R extends { readonly key: string }> {
  rows: readonly R[];
  children(row: R, index: number): ReactNode;
  keeper: ScrollKeeper;
  /** Name of the list for those who do not see it. */
  label: string;
  /** Names of the rows, likewise. */
  labelOf(row: R, position: number): string;
  className?: string;
  /** A row that is pointed at, for a while. */
  markedKey?: string | null;
  /** Space above the first row, in px. */
  startMargin?: number;
  before?: ReactNode;
  after?: ReactNode;
  onNearStart?(): void;
  ref?: Ref<VirtualRowsHandle>;
}

export function VirtualRows<R extends { readonly key: string }>({
  rows,
  children,
  keeper,
  label,
  labelOf,
  className,
  markedKey = null,
  startMargin = 0,
  before,
  after,
  onNearStart,
  ref,
}: VirtualRowsProps<R>) {
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<VirtualizerHandle>(null);
  const isShifted = useShift(rows);
  const indexOf = useIndexes(rows);
  const kept = useKeptRows(scroller, rows, indexOf);

  useLayoutEffect(() => (scroller.current ? keeper.attach(scroller.current) : undefined), [keeper]);
  useLayoutEffect(() => {
    keeper.reckon = (key) => {
      const index = indexOf(key);
      return index === undefined || !list.current
        ? null
        : list.current.getItemOffset(index) + startMargin;
    };
    keeper.settle();
  }, [keeper, rows, indexOf, startMargin]);

  useImperativeHandle(ref, () => {
    const current = () =>
      document.activeElement?.closest<HTMLElement>('[data-row-key]')?.dataset.rowKey;
    const handle: VirtualRowsHandle = {
      toEnd() {
        keeper.dispatch({ type: 'end asked' });
        if (rows.length > 0) list.current?.scrollToIndex(rows.length - 1, { align: 'end' });
        keeper.settle();
      },
      toRow(key, align = 'start', offset = 0) {
        const index = indexOf(key);
        const element = scroller.current;
        if (index === undefined || !element || !list.current) return false;
        const height = keeper.rowOf(key)?.offsetHeight ?? list.current.getItemSize(index);
        const room = Math.max(0, (element.clientHeight - height) / 2);
        const at = align === 'center' ? room : offset;
        keeper.goTo({ key, offset: at });
        return true;
      },
      neighbour(step, accepts = () => true) {
        const here = current() ?? keeper.firstKey();
        let index = here === undefined || here === null ? -1 : (indexOf(here) ?? -1);
        for (index += step; index >= 0 && index < rows.length; index += step) {
          const key = rows[index]?.key;
          if (key !== undefined && accepts(key)) return key;
        }
        return null;
      },
      focusRow(key) {
        keeper.focusRow(key);
      },
    };
    return handle;
  }, [rows, indexOf, keeper]);

  const onScroll = useCallback(
    (offset: number) => {
      if (offset < BUFFER_PX) onNearStart?.();
    },
    [onNearStart],
  );
  useEffect(() => {
    // A list that does not fill its view cannot be scrolled to its beginning.
    const element = scroller.current;
    if (element && rows.length > 0 && element.scrollTop < BUFFER_PX) onNearStart?.();
  }, [rows, onNearStart]);

  return (
    <div
      ref={scroller}
      role="log"
      aria-live="off"
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keys
      tabIndex={0}
      className={className}
      data-part="conversation"
    >
      {before}
      <Virtualizer
        ref={list}
        data={rows}
        scrollRef={scroller}
        bufferSize={BUFFER_PX}
        shift={isShifted}
        keepMounted={kept}
        startMargin={startMargin}
        onScroll={onScroll}
      >
        {(row, index) => (
          <VirtualRow
            key={row.key}
            rowKey={row.key}
            keeper={keeper}
            position={index + 1}
            count={rows.length}
            label={labelOf(row, index + 1)}
            isMarked={markedKey === row.key}
          >
            {children(row, index)}
          </VirtualRow>
        )}
      </Virtualizer>
      {after}
    </div>
  );
}

interface VirtualRowProps {
  rowKey: string;
  keeper: ScrollKeeper;
  position: number;
  count: number;
  label: string;
  isMarked: boolean;
  children: ReactNode;
}

function VirtualRow({
  rowKey,
  keeper,
  position,
  count,
  label,
  isMarked,
  children,
}: VirtualRowProps) {
  const element = useRef<HTMLElement>(null);
  useLayoutEffect(
    () => (element.current ? keeper.observeRow(element.current) : undefined),
    [keeper],
  );
  return (
    <article
      ref={element}
      tabIndex={-1}
      aria-label={label}
      aria-posinset={position}
      aria-setsize={count}
      data-row-key={rowKey}
      data-marked={isMarked || undefined}
      style={PRESSABLE}
    >
      {children}
    </article>
  );
}

/** Whether rows came before the first one, and no other change is as large. */
function useShift(rows: readonly { readonly key: string }[]): boolean {
  const last = useRef<{ rows: readonly { readonly key: string }[]; isShifted: boolean }>({
    rows,
    isShifted: false,
  });
  if (last.current.rows !== rows) {
    const first = last.current.rows[0]?.key;
    const isShifted =
      first !== undefined && rows[0]?.key !== first && rows.length > last.current.rows.length;
    last.current = { rows, isShifted };
  }
  return last.current.isShifted;
}

/** Finds rows by key. Most of a long list is the same from frame to frame, and is not looked at again. */
function useIndexes(
  rows: readonly { readonly key: string }[],
): (key: string) => number | undefined {
  const memory = useRef({ rows: [] as typeof rows, indexes: new Map<string, number>() });
  const { current } = memory;
  if (current.rows !== rows) {
    const { rows: before, indexes } = current;
    let same = 0;
    while (same < rows.length && rows[same] === before[same]) same += 1;
    for (let index = same; index < before.length; index += 1) {
      const key = before[index]?.key;
      if (key !== undefined) indexes.delete(key);
    }
    for (let index = same; index < rows.length; index += 1) {
      const key = rows[index]?.key;
      if (key !== undefined) indexes.set(key, index);
    }
    current.rows = rows;
  }
  return useCallback((key) => memory.current.indexes.get(key), []);
}

/** Indexes of rows that must stay although they are out of view: with the focus, or with selected text. */
function useKeptRows(
  scroller: React.RefObject<HTMLElement | null>,
  rows: readonly { readonly key: string }[],
  indexOf: (key: string) => number | undefined,
): readonly number[] {
  const [keys, setKeys] = useState<readonly string[]>([]);
  useEffect(() => {
    const keyOf = (node: Node | null) => {
      const element = node instanceof Element ? node : node?.parentElement;
      const row = element?.closest<HTMLElement>('[data-row-key]');
      return row && scroller.current?.contains(row) ? row.dataset.rowKey : undefined;
    };
    const update = () => {
      const selection = document.getSelection();
      const found = [
        keyOf(document.activeElement),
        ...(selection && !selection.isCollapsed
          ? [keyOf(selection.anchorNode), keyOf(selection.focusNode)]
          : []),
      ].filter((key) => key !== undefined);
      setKeys((before) => (before.join('\n') === found.join('\n') ? before : found));
    };
    const controller = new AbortController();
    const options = { signal: controller.signal };
    document.addEventListener('selectionchange', update, options);
    document.addEventListener('focusin', update, options);
    document.addEventListener('focusout', update, options);
    return () => controller.abort();
  }, [scroller]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the places change with the rows
  return useMemo(() => {
    const [focused, from, to] = keys.map((key) => indexOf(key));
    const kept = new Set<number>();
    if (focused !== undefined) kept.add(focused);
    if (from !== undefined && to !== undefined) {
      const low = Math.min(from, to);
      const high = Math.min(Math.max(from, to), low + MOST_KEPT);
      for (let index = low; index <= high; index += 1) kept.add(index);
    }
    return [...kept].sort((one, other) => one - other);
  }, [keys, rows, indexOf]);
}
