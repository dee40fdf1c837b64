import { useNow } from '../tools/useNow.ts';

/** Milliseconds until then, each second another; null: there is no such time. */
export function useDeadline(expiresAt: string | null): number | null {
  const at = expiresAt ? Date.parse(expiresAt) : Number.NaN;
  const isTicking = !Number.isNaN(at);
  const now = useNow(isTicking);
  return isTicking ? at - now : null;
}
