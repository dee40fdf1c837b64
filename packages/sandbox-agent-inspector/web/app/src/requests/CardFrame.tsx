import type { ReactNode } from 'react';
import { RequestCardRoot, type RequestHandle, stateOf } from 'sandbox-agent-react';
import styles from './Card.module.css';
import { AnsweredBelow, CardContent } from './CardContent.tsx';
import { useCurrentCard } from './current.ts';

interface CardFrameProps {
  handle: RequestHandle;
  /** In a list of several sessions: whose it is. */
  context?: ReactNode;
  isSheet?: boolean;
  /** It is answered in the sheet below. */
  isBelow?: boolean;
}

/** The element of a card, known to the keys that answer. */
export function CardFrame({ handle, context, isSheet = false, isBelow = false }: CardFrameProps) {
  const { request } = handle;
  const state = stateOf(handle);
  const isOpen = state === 'pending' || state === 'failed';
  const ref = useCurrentCard(request.sessionId, request.id);
  return (
    <div ref={ref} className={styles.place}>
      <RequestCardRoot handle={handle} className={styles.card} data-sheet={isSheet || undefined}>
        {context}
        {isBelow && isOpen ? <AnsweredBelow /> : <CardContent />}
      </RequestCardRoot>
    </div>
  );
}
