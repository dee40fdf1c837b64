import { Diamond } from 'lucide-react';
import {
  asksTo,
  Deadline,
  foreign,
  useRequestCard,
  useServer,
} from 'sandbox-agent-react';
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
  const { sessions } = useServer();
  const session = sessions.find((one) => one.id === request.sessionId);
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

/** Of a name that stands in a sentence of ours. */
export function named(text: string | null | undefined, other: string): string {
  return text ? foreign(text) : other;
}
