import { useEffect, useMemo, useState } from 'react';

const MARK_MS = 2000;

/** Marks what a link pointed at, for two seconds. */
export function useMark(): { key: string | null; show: (key: string) => void } {
  const [key, setKey] = useState<string | null>(null);
  useEffect(() => {
    if (key === null) return;
    const timer = setTimeout(() => setKey(null), MARK_MS);
    return () => clearTimeout(timer);
  }, [key]);
  return useMemo(() => ({ key, show: setKey }), [key]);
}
