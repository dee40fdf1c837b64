import { type RefObject, useEffect, useState, useSyncExternalStore } from 'react';

const coarse = typeof matchMedia === 'undefined' ? null : matchMedia('(pointer: coarse)');

function onPointerChange(listener: () => void): () => void {
  coarse?.addEventListener('change', listener);
  return () => coarse?.removeEventListener('change', listener);
}

/** All rows have one height: what a finger can hit where there are only fingers. */
export function useRowHeight(): number {
  return useSyncExternalStore(onPointerChange, () => (coarse?.matches ? 44 : 28));
}

export function useWidth(ref: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(420);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}
