/** The time of the server, told anew every so often: for ages and countdowns. */
import { useEffect, useState } from 'react';
import { useClient } from 'sandbox-agent-react';

export function useNow(intervalMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
  return now + useClient().clockOffsetMs;
}
