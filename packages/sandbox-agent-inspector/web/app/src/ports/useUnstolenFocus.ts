import { type RefObject, useEffect, useRef } from 'react';

const WRITTEN = 'input, textarea, [contenteditable]:not([contenteditable=false])';
/** Nobody types and points within so short a time. */
const TYPING_MS = 400;
/** A program that was loaded again asks once or twice; one that asks more often would not let go. */
const MOST_GRASPS = 2;
const GRASPS_MS = 2000;

/**
 * Any page in a frame may call `focus()`, which no browser refuses, and what is typed would go to it. A field that has
 * lost the focus in this way gets it back, and `onGrasping` is told of a page that takes it again and again.
 */
export function useUnstolenFocus(
  frame: RefObject<HTMLIFrameElement | null>,
  onGrasping: () => void,
): void {
  const told = useRef(onGrasping);
  told.current = onGrasping;
  useEffect(() => {
    let field: HTMLElement | null = null;
    let typedAt = Number.NEGATIVE_INFINITY;
    let grasps: number[] = [];
    let isOver = window.matchMedia('(hover: none)').matches;
    const stop = new AbortController();
    const { signal } = stop;
    const listen = { capture: true, signal };

    window.addEventListener(
      'focusin',
      ({ target }) => {
        field = target instanceof HTMLElement && target.matches(WRITTEN) ? target : null;
      },
      listen,
    );
    window.addEventListener(
      'keydown',
      ({ key, timeStamp }) => {
        if (key === 'Tab' || key === 'F6') field = null;
        else typedAt = timeStamp;
      },
      listen,
    );
    // Where a finger is nobody hears of; a mouse leaves this page's elements for the frame's.
    const onOver = ({ target, pointerType }: PointerEvent) => {
      isOver = target === frame.current || pointerType !== 'mouse';
    };
    window.addEventListener('pointerover', onOver, listen);
    window.addEventListener(
      'blur',
      ({ timeStamp }) => {
        if (field === null || document.activeElement !== frame.current) return;
        if (isOver && timeStamp - typedAt > TYPING_MS) return;
        const back = field;
        grasps = [...grasps.filter((at) => timeStamp - at < GRASPS_MS), timeStamp];
        if (grasps.length > MOST_GRASPS) told.current();
        // Within this event the browser would leave the keys with the frame.
        setTimeout(() => {
          window.focus();
          back.focus({ preventScroll: true });
        });
      },
      { signal },
    );
    const { activeElement } = document;
    if (activeElement instanceof HTMLElement && activeElement.matches(WRITTEN)) {
      field = activeElement;
    }
    return () => stop.abort();
  }, [frame]);
}
