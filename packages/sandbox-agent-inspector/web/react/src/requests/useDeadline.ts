import { useSyncExternalStore } from 'react';

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | null = null;

/** One clock for all that counts seconds. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    for (const each of listeners) each();
  }, 500);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  };
}

const wholeSecond = () => Math.floor(Date.now() / 1000) * 1000;

/** The time, a new one each second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, wholeSecond, wholeSecond);
}

/** Milliseconds until then, each second another; null: there is no such time. */
export function useDeadline(expiresAt: string | null): number | null {
  const now = useNow();
  const at = expiresAt ? Date.parse(expiresAt) : Number.NaN;
  return Number.isNaN(at) ? null : at - now;
}
