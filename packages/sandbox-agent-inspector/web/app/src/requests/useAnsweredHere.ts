import { useEffect, useMemo, useRef, useState } from 'react';
import type { RequestInfo } from 'sandbox-agent-client';
import { useClient, useInbox } from 'sandbox-agent-react';

const keyOf = (one: RequestInfo) => `${one.sessionId ?? ''}\n${one.id}`;

/**
 * What waits, by its deadline, and what has waited since the page was opened: an answered card stays where it is, so that
 * nothing moves under a finger that goes on to the next.
 */
export function useAnsweredHere(): readonly RequestInfo[] {
  const client = useClient();
  const waiting = useInbox();
  const order = useRef<string[]>([]);
  const infos = useRef(new Map<string, RequestInfo>());
  const asked = useRef(new Set<string>());
  const [resolved, setResolved] = useState<ReadonlyMap<string, RequestInfo>>(new Map());

  const all = useMemo(() => {
    const sorted = [...waiting].sort(
      (one, other) => Date.parse(one.expiresAt) - Date.parse(other.expiresAt),
    );
    for (const info of sorted) {
      const key = keyOf(info);
      if (!infos.current.has(key)) order.current.push(key);
      infos.current.set(key, info);
    }
    return order.current.flatMap((key) => {
      const info = resolved.get(key) ?? infos.current.get(key);
      return info ? [info] : [];
    });
  }, [waiting, resolved]);

  useEffect(() => {
    const open = new Set(waiting.map(keyOf));
    for (const [key, info] of infos.current) {
      if (open.has(key) || asked.current.has(key) || !info.sessionId) continue;
      asked.current.add(key);
      const { sessionId } = info;
      client.requests
        .of(sessionId, { status: 'all' })
        .then(({ requests }) => {
          const found = requests.find((one) => one.id === info.id);
          if (found?.resolution) {
            setResolved((before) => new Map(before).set(key, { ...found, sessionId }));
          }
        })
        .catch(() => asked.current.delete(key));
    }
  }, [client, waiting]);

  return all;
}
