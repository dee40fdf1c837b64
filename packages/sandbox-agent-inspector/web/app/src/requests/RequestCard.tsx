import { RequestCardRoot, usePermission } from 'sandbox-agent-react';
import { usePreferences } from '../shell/preferences.ts';
import styles from './Card.module.css';
import { CardContent } from './CardContent.tsx';
import { useCurrentCard } from './current.ts';

interface RequestCardProps {
  sessionId: string;
  requestId: string;
  /** In a list of several sessions: says whose it is. */
  context?: React.ReactNode;
  className?: string;
}

/** A permission, a question, a hook or a call of a client: answered in place, or what became of it. */
export function RequestCard({ sessionId, requestId, context, className = '' }: RequestCardProps) {
  const actor = usePreferences((state) => state.actor);
  const handle = usePermission(sessionId, requestId, { actor });
  const ref = useCurrentCard(sessionId, requestId);
  if (!handle) return null;
  return (
    <div ref={ref} className={styles.place}>
      <RequestCardRoot handle={handle} className={`${styles.card} ${className}`}>
        {context}
        <CardContent />
      </RequestCardRoot>
    </div>
  );
}
