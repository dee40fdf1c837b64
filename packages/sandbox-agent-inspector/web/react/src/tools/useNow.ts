/** The time, once a second, while somebody needs it: one clock for all that tick. */
import { useSyncExternalStore } from 'react';

let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = Date.now();
    timer = setInterval(() => {
      now = Date.now();
      for (const one of listeners) one();
    }, 1000);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

const silent = () => () => {};

export function useNow(isTicking: boolean): number {
  return useSyncExternalStore(
    isTicking ? subscribe : silent,
    () => now,
    () => now,
  );
}
