/** The time, once a second, while somebody needs it: one clock for all that tick. */
import { useContext, useSyncExternalStore } from 'react';
import { ServerContext } from '../server/ServerProvider.tsx';

let here = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    here = Date.now();
    timer = setInterval(() => {
      here = Date.now();
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

/** The time of this machine: for what began in this page. */
export function useLocalNow(isTicking: boolean): number {
  return useSyncExternalStore(
    isTicking ? subscribe : silent,
    () => here,
    () => here,
  );
}

/** The time of the server: for what it says when it began, or when it ends. */
export function useNow(isTicking: boolean): number {
  const client = useContext(ServerContext)?.client;
  return useLocalNow(isTicking) + (client?.clockOffsetMs ?? 0);
}
