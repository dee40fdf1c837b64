import { type RefObject, useEffect } from 'react';

/** Ctrl and the wheel zoom; the wheel alone scrolls. Not passive: the page itself shall not be zoomed by it. */
export function useWheelZoom(
  ref: RefObject<HTMLElement | null>,
  zoom: (factor: number) => void,
): void {
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8);
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, [ref, zoom]);
}
