/**
 * Keeps a reader's place in a list that changes. `following`: the end is in view before every paint. `free`: what was
 * clicked last, else the first whole row, stays where it is, whatever arrives, opens, loads above or is measured.
 */
import {
  END_DISTANCE_PX,
  FOLLOWING,
  type FollowInput,
  type FollowState,
  follow,
} from './follow.ts';

export interface Place {
  key: string;
  /** Of the row's upper edge below that of the view. */
  offset: number;
}

const ROW = '[data-row-key]';
const UP_KEYS = new Set(['PageUp', 'Home', 'ArrowUp']);
const SCROLL_KEYS = new Set([...UP_KEYS, 'PageDown', 'End', 'ArrowDown', ' ']);
/** A wheel and a finger go on moving the page after their last event. */
const INERTIA_MS = 400;

/** What a reader is told of where they are. */
export interface FollowView extends FollowState {
  readonly isAtEnd: boolean;
}

export class ScrollKeeper {
  alwaysFollow = false;
  /** Key of the row whose beginning must not be pushed out: a reply that is being written. */
  replyKey: string | null = null;
  /** Where a row that is not there begins, as the list reckons; null when it has none of that key. */
  reckon: (key: string) => number | null = () => null;
  private state: FollowState = FOLLOWING;
  private view: FollowView = { ...FOLLOWING, isAtEnd: true };
  private readonly listeners = new Set<() => void>();
  private scroller: HTMLElement | null = null;
  private resizes: ResizeObserver | null = null;
  private readonly rows = new Set<HTMLElement>();
  private anchor: { element: Element; top: number } | null = null;
  private lastTop = 0;
  private movedAt = Number.NEGATIVE_INFINITY;
  private isDragging = false;
  private focusWanted: string | null = null;
  /** A place that is being gone to: rows that are measured on the way must not hold it back. */
  private goingTo: Place | null = null;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly getSnapshot = (): FollowView => this.view;

  dispatch(input: FollowInput): void {
    const next = follow(this.state, input, { always: this.alwaysFollow });
    if (next === this.state) return;
    const left = this.state.mode === 'following' && next.mode === 'free';
    this.state = next;
    if (left) this.takeAnchor();
    this.tell();
  }

  private tell(): void {
    const { scroller } = this;
    const isAtEnd =
      !scroller ||
      this.state.mode === 'following' ||
      scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop <= END_DISTANCE_PX;
    const { mode, asked, unread } = this.state;
    const { view } = this;
    const isSame = view.mode === mode && view.asked === asked && view.unread === unread;
    if (isSame && view.isAtEnd === isAtEnd) return;
    this.view = { mode, asked, unread, isAtEnd };
    for (const listener of this.listeners) listener();
  }

  attach(scroller: HTMLElement): () => void {
    this.scroller = scroller;
    this.lastTop = scroller.scrollTop;
    if (this.rows.size > 0) this.watch();
    const controller = new AbortController();
    const on = (target: EventTarget, type: string, handler: (event: Event) => void) =>
      target.addEventListener(type, handler, { passive: true, signal: controller.signal });
    on(scroller, 'wheel', (event) => this.onWheel(event as WheelEvent));
    on(scroller, 'touchmove', () => this.onTouch());
    on(scroller, 'touchend', () => this.moved());
    on(scroller, 'keydown', (event) => this.onKey(event as KeyboardEvent));
    on(scroller, 'pointerdown', (event) => this.onPointer(event as PointerEvent));
    on(window, 'pointerup', () => this.onRelease());
    on(scroller, 'click', (event) => this.onClick(event as MouseEvent));
    on(scroller, 'scroll', () => this.onScroll());
    on(document, 'selectionchange', () => this.onSelection());
    on(window, 'keydown', (event) => this.onFind(event as KeyboardEvent));
    return () => {
      controller.abort();
      this.resizes?.disconnect();
      this.resizes = null;
      this.scroller = null;
    };
  }

  observeRow(row: HTMLElement): () => void {
    this.rows.add(row);
    if (this.resizes === null) this.watch();
    this.resizes?.observe(row);
    return () => {
      this.rows.delete(row);
      this.resizes?.unobserve(row);
    };
  }

  /**
   * The list measures its rows by an observer that it makes with the first of them. Observers are called in the order
   * of their making, and ours has to come after the list has moved what it shows.
   */
  private watch(): void {
    queueMicrotask(() => {
      if (this.resizes !== null || this.scroller === null) return;
      this.resizes = new ResizeObserver(() => this.settle());
      this.resizes.observe(this.scroller);
      for (const row of this.rows) this.resizes.observe(row);
    });
  }

  /** Called whenever something may have moved, before it is painted. */
  settle(): void {
    const { scroller } = this;
    if (!scroller || scroller.clientHeight === 0) return;
    if (this.state.mode === 'following') {
      this.checkReply(scroller);
    }
    if (this.state.mode === 'following') {
      const end = scroller.scrollHeight - scroller.clientHeight;
      if (Math.abs(scroller.scrollTop - end) > 0.5) scroller.scrollTop = end;
    } else if (this.goingTo !== null) {
      this.holdPlace(this.goingTo);
    } else {
      this.hold();
    }
    this.lastTop = scroller.scrollTop;
    if (this.focusWanted !== null) this.giveFocus();
    this.tell();
  }

  /** Go to a row and stay there until the reader moves. The row has to be mounted soon. */
  goTo(place: Place): void {
    this.dispatch({ type: 'left' });
    this.anchor = null;
    this.goingTo = place;
    this.settle();
  }

  /** Where the reader is; null at the end. */
  place(): Place | null {
    if (this.state.mode === 'following' || !this.scroller) return null;
    const row = this.firstRow();
    const key = row?.dataset.rowKey;
    if (!row || key === undefined) return null;
    return { key, offset: row.getBoundingClientRect().top - this.viewTop() };
  }

  isInView(key: string): boolean {
    const { scroller } = this;
    const row = this.rowOf(key);
    if (!scroller || !row) return false;
    const view = scroller.getBoundingClientRect();
    const { top, bottom } = row.getBoundingClientRect();
    return bottom > view.top + 8 && top < view.bottom - 8;
  }

  isWholeInView(key: string): boolean {
    const { scroller } = this;
    const row = this.rowOf(key);
    if (!scroller || !row) return false;
    const view = scroller.getBoundingClientRect();
    const { top, bottom } = row.getBoundingClientRect();
    return top >= view.top && bottom <= view.bottom;
  }

  firstKey(): string | null {
    return this.firstRow()?.dataset.rowKey ?? null;
  }

  /** Give a row the focus once it exists. */
  focusRow(key: string): void {
    this.focusWanted = key;
    this.giveFocus();
  }

  private giveFocus(): void {
    const row = this.focusWanted === null ? null : this.rowOf(this.focusWanted);
    row?.focus({ preventScroll: true });
    // One that is not measured yet is hidden, and takes none.
    if (row && document.activeElement === row) this.focusWanted = null;
  }

  rowOf(key: string): HTMLElement | null {
    for (const row of this.rows) {
      if (row.dataset.rowKey === key) return row;
    }
    return null;
  }

  private hold(): void {
    const { scroller } = this;
    if (!scroller) return;
    if (!this.anchor?.element.isConnected) {
      this.takeAnchor();
      return;
    }
    const moved =
      this.anchor.element.getBoundingClientRect().top - this.viewTop() - this.anchor.top;
    if (Math.abs(moved) > 0.5) scroller.scrollTop += moved;
  }

  private holdPlace(place: Place): void {
    if (!this.scroller) return;
    const row = this.rowOf(place.key);
    if (!row) {
      // Near it the list makes it, and then it is brought to its place.
      const top = this.reckon(place.key);
      if (top !== null) this.scroller.scrollTop = top - place.offset;
      return;
    }
    const moved = row.getBoundingClientRect().top - this.viewTop() - place.offset;
    if (Math.abs(moved) > 0.5) this.scroller.scrollTop += moved;
    this.anchor = { element: row, top: place.offset };
  }

  private checkReply(scroller: HTMLElement): void {
    const row = this.replyKey === null ? null : this.rowOf(this.replyKey);
    if (!row) return;
    const { height, top } = row.getBoundingClientRect();
    const viewHeight = scroller.clientHeight;
    this.dispatch({ type: 'grew', replyHeight: height, viewHeight });
    if (this.state.mode === 'following') return;
    // One that came as a whole begins below: its beginning is brought where that of a growing one would be.
    const missing = top - this.viewTop() - viewHeight / 3;
    if (missing > 0) scroller.scrollTop += missing;
    this.takeAnchor();
  }

  private takeAnchor(): void {
    const row = this.firstRow();
    if (!row) {
      this.anchor = null;
      return;
    }
    const top = row.getBoundingClientRect().top - this.viewTop();
    this.anchor = { element: row, top };
  }

  /** The first whole row in view; of one that fills the view, that one. */
  private firstRow(): HTMLElement | null {
    const { scroller } = this;
    if (!scroller) return null;
    const { top: viewTop, bottom: viewBottom } = scroller.getBoundingClientRect();
    let best: HTMLElement | null = null;
    let bestTop = Number.POSITIVE_INFINITY;
    let partly: HTMLElement | null = null;
    for (const row of this.rows) {
      const { top, bottom } = row.getBoundingClientRect();
      if (bottom <= viewTop || top >= viewBottom || top === bottom) continue;
      if (top >= viewTop - 0.5) {
        if (top < bestTop) {
          best = row;
          bestTop = top;
        }
      } else partly = row;
    }
    return best ?? partly;
  }

  private viewTop(): number {
    return this.scroller?.getBoundingClientRect().top ?? 0;
  }

  private moved(): void {
    this.movedAt = performance.now();
    this.goingTo = null;
    this.focusWanted = null;
  }

  private onWheel(event: WheelEvent): void {
    if (event.ctrlKey || event.defaultPrevented) return;
    this.moved();
    if (event.deltaY < 0 && this.scroller && this.scroller.scrollTop > 0) {
      this.dispatch({ type: 'left' });
    }
  }

  private onTouch(): void {
    this.moved();
    this.dispatch({ type: 'left' });
  }

  private onKey(event: KeyboardEvent): void {
    if (!SCROLL_KEYS.has(event.key) || isField(event.target)) return;
    this.moved();
    if (UP_KEYS.has(event.key)) this.dispatch({ type: 'left' });
    if (event.key === 'End') this.dispatch({ type: 'end asked' });
  }

  private onFind(event: KeyboardEvent): void {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'f') {
      this.dispatch({ type: 'left' });
    }
  }

  private onPointer(event: PointerEvent): void {
    const { scroller } = this;
    if (!scroller) return;
    if (event.target === scroller && event.offsetX >= scroller.clientWidth) {
      this.isDragging = true;
      this.goingTo = null;
      return;
    }
    this.anchorAt(event.target);
  }

  private onRelease(): void {
    if (this.isDragging) this.moved();
    this.isDragging = false;
  }

  private onClick(event: MouseEvent): void {
    // Also what a key has pressed.
    this.anchorAt(event.target);
    const opener = event.target instanceof Element && event.target.closest('[aria-expanded]');
    if (opener && this.scroller?.contains(opener)) this.dispatch({ type: 'left' });
    this.anchorAt(event.target);
  }

  private anchorAt(target: EventTarget | null): void {
    if (!(target instanceof Element) || !target.closest(ROW) || !this.scroller) return;
    this.goingTo = null;
    const top = target.getBoundingClientRect().top - this.viewTop();
    this.anchor = { element: target, top };
  }

  private onSelection(): void {
    const selection = document.getSelection();
    if (!selection || selection.isCollapsed || !selection.anchorNode) return;
    if (this.scroller?.contains(selection.anchorNode)) this.dispatch({ type: 'left' });
  }

  private onScroll(): void {
    const { scroller } = this;
    if (!scroller) return;
    const before = this.lastTop;
    const top = scroller.scrollTop;
    this.lastTop = top;
    const byReader = this.isDragging || performance.now() - this.movedAt < INERTIA_MS;
    if (byReader) {
      if (this.isDragging && top < before - 1) this.dispatch({ type: 'left' });
      const distance = scroller.scrollHeight - scroller.clientHeight - top;
      if (top > before && distance <= END_DISTANCE_PX) this.dispatch({ type: 'arrived', distance });
      this.movedAt = Math.max(this.movedAt, this.isDragging ? performance.now() : this.movedAt);
    }
    this.tell();
    if (this.state.mode !== 'free' || this.goingTo) return;
    if (byReader || !this.anchor?.element.isConnected) this.takeAnchor();
    else this.anchor.top = this.anchor.element.getBoundingClientRect().top - this.viewTop();
  }
}

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLInputElement ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLElement && target.isContentEditable)
  );
}
