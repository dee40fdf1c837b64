import { useSyncExternalStore } from 'react';

/** One thing of a session that the pointer or the focus is on, in whichever room: an item of the chat is a row of the timeline. */
export interface Highlight {
  readonly sessionId: string;
  /** Of the thing, where both rooms know one: `tool:…`, `request:…`; see `keyOfItem`. */
  readonly key: string | null;
  /** The first and the last `seq` of it. */
  readonly from: number;
  readonly to: number;
  readonly origin: 'chat' | 'timeline' | 'link';
}

/** Whether the thing with this key and `seq` is meant. */
export function isHighlighted(
  highlight: Highlight | null,
  sessionId: string,
  thing: { key: string | null; from: number; to: number },
): boolean {
  if (!highlight || highlight.sessionId !== sessionId) return false;
  if (highlight.key !== null && thing.key !== null) return highlight.key === thing.key;
  if (highlight.key?.startsWith('turn:') || thing.key?.startsWith('turn:')) return false;
  return thing.from <= highlight.to && highlight.from <= thing.to;
}

/** What is hovered, and what is selected. One for a page: there is one pointer. */
export class HighlightStore {
  private value: Highlight | null = null;
  private readonly listeners = new Set<() => void>();

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  get = (): Highlight | null => this.value;

  set(value: Highlight | null): void {
    if (value === this.value) return;
    this.value = value;
    for (const listener of this.listeners) listener();
  }
}

/** What the pointer or the focus is on now. */
export const hoverStore = new HighlightStore();
/** What was clicked last; the other room scrolls to it. */
export const selectionStore = new HighlightStore();

/** whether this thing is hovered or focused in either room. Renders only those that change. */
export function useIsHovered(
  sessionId: string,
  thing: { key: string | null; from: number; to: number },
): boolean {
  const ask = () => isHighlighted(hoverStore.get(), sessionId, thing);
  return useSyncExternalStore(hoverStore.subscribe, ask, () => false);
}

export function useSelected(): Highlight | null {
  return useSyncExternalStore(selectionStore.subscribe, selectionStore.get, () => null);
}
