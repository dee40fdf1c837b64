import { type RefCallback, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

export interface FixedRows {
  /** For the element that scrolls. Its first child must be `height` high. */
  readonly ref: RefCallback<HTMLDivElement>;
  readonly element: HTMLDivElement | null;
  readonly height: number;
  /** The rows to render, `to` not among them; `firstVisible` and `lastVisible` are those in view. */
  readonly from: number;
  readonly to: number;
  readonly firstVisible: number;
  readonly lastVisible: number;
  readonly following: boolean;
  scrollToRow(index: number, where: 'centre' | 'nearest'): void;
  follow(): void;
}

interface Options {
  count: number;
  rowHeight: number;
  /** Of the first row: when another comes before it, what is in view stays where it is. */
  firstKey: string | null;
  indexOfKey(key: string): number;
  /** Whether it begins at its end. */
  startFollowing: boolean;
  onNearStart?: () => void;
  onNearEnd?: () => void;
}

const OVERSCAN = 12;
const NEAR_END = 32;

/** Rows of one height, windowed by arithmetic. It follows the end until an input of the user scrolls away from it. */
export function useFixedRows({
  count,
  rowHeight,
  firstKey,
  indexOfKey,
  startFollowing,
  onNearStart,
  onNearEnd,
}: Options): FixedRows {
  // In the state: the list may come later than this hook, and go.
  const [element, setElement] = useState<HTMLDivElement | null>(null);
  const [following, setFollowing] = useState(startFollowing);
  const [view, setView] = useState({ top: 0, height: 600 });
  const first = useRef<{ key: string | null; rowHeight: number }>({ key: firstKey, rowHeight });
  const height = count * rowHeight;

  const measure = useCallback(() => {
    if (!element) return;
    const next = { top: element.scrollTop, height: element.clientHeight };
    setView((old) => (old.top === next.top && old.height === next.height ? old : next));
  }, [element]);

  useLayoutEffect(() => {
    if (!element) return;
    const before = first.current.key;
    if (before !== null && before !== firstKey && !following) {
      const moved = indexOfKey(before);
      if (moved > 0) element.scrollTop += moved * rowHeight;
    }
    first.current = { key: firstKey, rowHeight };
    if (following) element.scrollTop = height;
    measure();
  }, [element, firstKey, height, rowHeight, following, indexOfKey, measure]);

  useEffect(() => {
    if (!element) return;
    const leave = () => setFollowing(false);
    const onWheel = (event: WheelEvent) => {
      if (event.deltaY < 0 && !event.ctrlKey) leave();
    };
    // Only its scroll bar is the element itself; rows are its children.
    const onPointerDown = (event: PointerEvent) => {
      if (event.target === element || event.pointerType === 'touch') leave();
    };
    const onScroll = () => {
      measure();
      if (element.scrollTop + element.clientHeight >= element.scrollHeight - NEAR_END) {
        setFollowing(true);
      }
    };
    const resized = new ResizeObserver(measure);
    resized.observe(element);
    element.addEventListener('wheel', onWheel, { passive: true });
    element.addEventListener('pointerdown', onPointerDown);
    element.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      resized.disconnect();
      element.removeEventListener('wheel', onWheel);
      element.removeEventListener('pointerdown', onPointerDown);
      element.removeEventListener('scroll', onScroll);
    };
  }, [element, measure]);

  const nearStart = view.top < rowHeight * 20;
  useEffect(() => {
    // Again with each page, until the start is out of sight: `count` says that one came.
    if (nearStart && count >= 0) onNearStart?.();
  }, [nearStart, count, onNearStart]);

  const nearEnd = view.top + view.height > height - rowHeight * 20;
  useEffect(() => {
    if (nearEnd && count >= 0) onNearEnd?.();
  }, [nearEnd, count, onNearEnd]);

  const scrollToRow = useCallback(
    (index: number, where: 'centre' | 'nearest') => {
      if (!element || index < 0) return;
      const top = index * rowHeight;
      const space = element.clientHeight;
      if (where === 'centre') element.scrollTop = top - (space - rowHeight) / 2;
      else if (top < element.scrollTop) element.scrollTop = top;
      else if (top + rowHeight > element.scrollTop + space) {
        element.scrollTop = top + rowHeight - space;
      }
      if (index < count - 1) setFollowing(false);
      measure();
    },
    [element, rowHeight, count, measure],
  );

  const firstVisible = Math.max(0, Math.floor(view.top / rowHeight));
  const lastVisible = Math.min(count, Math.ceil((view.top + view.height) / rowHeight)) - 1;
  return {
    ref: setElement,
    element,
    height,
    from: Math.max(0, firstVisible - OVERSCAN),
    to: Math.min(count, lastVisible + 1 + OVERSCAN),
    firstVisible,
    lastVisible,
    following,
    scrollToRow,
    follow: useCallback(() => setFollowing(true), []),
  };
}
