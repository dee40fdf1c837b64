/** When a browser says that it is worth trying again: the network is back, somebody looks at the page again. */

export type WakeReason = 'online' | 'visible' | 'focus';

/** Calls back on each; nothing where there is no window (Node, workers). Returns how to stop. */
export function onWake(listener: (reason: WakeReason) => void): () => void {
  if (typeof window === 'undefined' || typeof document === 'undefined') return () => {};
  const online = () => listener('online');
  const focus = () => listener('focus');
  const visible = () => {
    if (document.visibilityState === 'visible') listener('visible');
  };
  window.addEventListener('online', online);
  window.addEventListener('focus', focus);
  document.addEventListener('visibilitychange', visible);
  return () => {
    window.removeEventListener('online', online);
    window.removeEventListener('focus', focus);
    document.removeEventListener('visibilitychange', visible);
  };
}
