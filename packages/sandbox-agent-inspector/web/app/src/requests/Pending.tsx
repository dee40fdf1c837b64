import { ChevronDown, ChevronUp } from 'lucide-react';
import { useInbox } from 'sandbox-agent-react';
import { IconButton } from '../ui/index.ts';
import styles from './Card.module.css';
import { goToRequest } from './current.ts';

/** "1 of 3", where a session waits for several answers. There is no way to give all at once. */
export function Pending({ sessionId, requestId }: { sessionId: string; requestId: string }) {
  const mine = useInbox().filter((one) => one.sessionId === sessionId && one.kind !== 'host_tool');
  const at = mine.findIndex((one) => one.id === requestId);
  if (mine.length < 2 || at < 0) return null;
  const go = (step: number) => {
    const next = mine[(at + step + mine.length) % mine.length];
    if (next) goToRequest(next.id);
  };
  return (
    <span className={styles.pending}>
      {at + 1} of {mine.length}
      <IconButton label="Previous request" shortcut="Alt ↑" size="small" onPress={() => go(-1)}>
        <ChevronUp />
      </IconButton>
      <IconButton label="Next request" shortcut="Alt ↓" size="small" onPress={() => go(1)}>
        <ChevronDown />
      </IconButton>
    </span>
  );
}
