import { type RefObject, useCallback, useEffect, useMemo, useRef } from 'react';
import { AnswerGuard } from './guard.ts';

interface Began {
  at: number;
  point?: { x: number; y: number };
}

export interface AnswerGuardHandle {
  /** Whether the press that is under way, or a key right now, counts. */
  takes(): boolean;
  /** For the element that holds the buttons. */
  props: {
    onPointerDownCapture(event: { clientX: number; clientY: number }): void;
    onKeyDownCapture(event: { repeat: boolean }): void;
    onKeyUpCapture(): void;
  };
}

/** Watches a card: since when it is there, and whether its buttons have moved under the pointer. */
export function useAnswerGuard(
  ref: RefObject<HTMLElement | null>,
  isPending: boolean,
): AnswerGuardHandle {
  const guard = useRef<AnswerGuard | null>(null);
  const began = useRef<Began | null>(null);

  useEffect(() => {
    if (!isPending) return;
    const mine = new AnswerGuard(performance.now());
    guard.current = mine;
    const onVisible = () => {
      if (document.visibilityState === 'visible') mine.appeared(performance.now());
    };
    document.addEventListener('visibilitychange', onVisible);
    let frame = requestAnimationFrame(function look() {
      const element = ref.current;
      if (element) {
        const { left, top, width, height } = element.getBoundingClientRect();
        mine.placed(performance.now(), { left, top, width, height });
      }
      frame = requestAnimationFrame(look);
    });
    return () => {
      cancelAnimationFrame(frame);
      document.removeEventListener('visibilitychange', onVisible);
      guard.current = null;
    };
  }, [ref, isPending]);

  const takes = useCallback(() => {
    const press = began.current ?? { at: performance.now() };
    began.current = null;
    return guard.current?.takes(press) ?? false;
  }, []);

  return useMemo(
    () => ({
      takes,
      props: {
        onPointerDownCapture: (event) => {
          const point = { x: event.clientX, y: event.clientY };
          began.current = { at: performance.now(), point };
        },
        onKeyDownCapture: (event) => {
          // A key that is held down began before it came here.
          if (event.repeat) began.current ??= { at: Number.NEGATIVE_INFINITY };
          else began.current = { at: performance.now() };
        },
        onKeyUpCapture: () => {
          // After the press that the key makes.
          setTimeout(() => {
            began.current = null;
          });
        },
      },
    }),
    [takes],
  );
}
