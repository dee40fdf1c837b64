import { useEffect, useState } from 'react';
import { useClient } from 'sandbox-agent-react';

/** The time of the server, each second while something goes on; 0 while nothing does. */
export function useNow(isActive: boolean): number {
  const [now, setNow] = useState(0);
  useEffect(() => {
    if (!isActive) return setNow(0);
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isActive]);
  const { clockOffsetMs } = useClient();
  return now && now + clockOffsetMs;
}
