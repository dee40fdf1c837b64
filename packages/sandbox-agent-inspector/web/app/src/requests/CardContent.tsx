import { Diamond } from 'lucide-react';
import { asksTo, Deadline, useRequestCard, useSessions } from 'sandbox-agent-react';
import { Foreign } from '../ui/index.ts';
import { Actions } from './Actions.tsx';
import styles from './Card.module.css';
import { CardState } from './CardState.tsx';
import { Pending } from './Pending.tsx';
import { QuestionForm } from './QuestionForm.tsx';
import { HostCall, ToolSubject } from './Subject.tsx';

/** What is in a card, whichever request it is. */
export function CardContent() {
  const { request, titleId, cardState } = useRequestCard();
  const session = useSessions().find((one) => one.id === request.sessionId);
  const isOpen = cardState === 'pending' || cardState === 'failed';
  if (!isOpen) return <CardState session={session ?? null} />;
  return (
    <>
      <header className={styles.header}>
        <Diamond aria-hidden className={styles.glyph} />
        <h3 id={titleId} className={styles.title}>
          <Foreign text={session?.agent ?? 'The agent'} maxChars={40} /> {asksTo(request)}
        </h3>
        <Pending sessionId={request.sessionId} requestId={request.id} />
        <Deadline className={styles.deadline} />
      </header>
      {request.kind === 'question' ? (
        <QuestionForm />
      ) : request.kind === 'host_tool' ? (
        <HostCall />
      ) : (
        <>
          <ToolSubject session={session ?? null} />
          <Actions session={session ?? null} />
        </>
      )}
    </>
  );
}

/** In the conversation of a phone, where the sheet below has the buttons. */
export function AnsweredBelow() {
  const { request, titleId } = useRequestCard();
  const session = useSessions().find((one) => one.id === request.sessionId);
  return (
    <header className={styles.header}>
      <Diamond aria-hidden className={styles.glyph} />
      <h3 id={titleId} className={styles.title}>
        <Foreign text={session?.agent ?? 'The agent'} maxChars={40} /> {asksTo(request)}
      </h3>
      <Deadline className={styles.deadline} />
      <p className={styles.faint}>Answer it below.</p>
    </header>
  );
}
