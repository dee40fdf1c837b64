import { useInbox } from 'sandbox-agent-react';
import { RequestCard } from './RequestCard.tsx';
import styles from './Sheet.module.css';

/** On a phone: what a session waits for, over its composer, with buttons that a thumb reaches. */
export function RequestSheet({ sessionId }: { sessionId: string }) {
  const [first] = useInbox().filter(
    (one) => one.sessionId === sessionId && one.kind !== 'host_tool',
  );
  if (!first) return null;
  return (
    <section className={styles.sheet} aria-label="Waiting for you">
      <RequestCard key={first.id} sessionId={sessionId} requestId={first.id} place="sheet" />
    </section>
  );
}
