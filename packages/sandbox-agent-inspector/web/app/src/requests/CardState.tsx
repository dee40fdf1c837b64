import { Ban, Check, Clock, CornerDownRight, MessageSquare, WifiOff, X } from 'lucide-react';
import { useState } from 'react';
import type { SessionInfo } from 'sandbox-agent-client';
import {
  ago,
  asksTo,
  foreign,
  foreignCode,
  type OutcomeTone,
  outcomeWords,
  requestLine,
  useNow,
  useRequestCard,
} from 'sandbox-agent-react';
import { Button, Disclosure, Foreign } from '../ui/index.ts';
import { Answers } from './Answers.tsx';
import styles from './Card.module.css';
import { HostCallInput, ToolSubject } from './Subject.tsx';

const GLYPHS: Record<OutcomeTone, typeof Check> = {
  allowed: Check,
  denied: X,
  expired: Clock,
  withdrawn: Ban,
  told: MessageSquare,
};

/** A card that waits for nobody any more, folded into a line. */
export function CardState({ session }: { session: SessionInfo | null }) {
  const { request, titleId, cardState, state, withdraw } = useRequestCard();
  const [isOpen, setOpen] = useState(false);
  const line = (
    <span className={styles.line} data-mono={request.command ? true : undefined}>
      <Foreign text={requestLine(request)} maxChars={120} />
    </span>
  );
  if (!request.outcome) {
    return (
      <p className={styles.folded} id={titleId}>
        {cardState === 'waiting' ? <WifiOff aria-hidden /> : <CornerDownRight aria-hidden />}
        <span className={styles.decided}>{UNDECIDED[cardState] ?? 'Sending…'}</span>
        {line}
        {state.phase === 'sending' && state.canWithdraw && (
          <Button size="small" look="quiet" onPress={withdraw}>
            Take back
          </Button>
        )}
      </p>
    );
  }
  const words = outcomeWords(request, request.outcome);
  const Glyph = GLYPHS[words.tone];
  return (
    <Disclosure
      className={styles.answered}
      isOpen={isOpen}
      onToggle={setOpen}
      summary={
        <span className={styles.folded} data-tone={words.tone}>
          <Glyph aria-hidden />
          <span className={styles.decided} id={titleId}>
            {foreign(words.text)}
            {words.by && (
              <>
                {' by '}
                <Foreign text={words.by} maxChars={60} />
              </>
            )}
            <Ago time={request.outcome.resolvedAt ?? null} />
          </span>
          {line}
        </span>
      }
    >
      <div className={styles.details}>
        <p className={styles.faint}>
          <Foreign text={session?.agent ?? 'The agent'} maxChars={40} /> {asksTo(request)}
        </p>
        {request.kind === 'question' && <Answers />}
        {request.kind === 'host_tool' && <HostCallInput />}
        {(request.kind === 'permission' || request.kind === 'hook') && (
          <ToolSubject session={session} />
        )}
        {request.outcome.message && (
          <p>
            Said to the agent: <Foreign text={request.outcome.message} maxChars={2000} />
          </p>
        )}
        {request.outcome.updatedInput && (
          <pre className={styles.code}>
            {foreignCode(JSON.stringify(request.outcome.updatedInput, null, 2))}
          </pre>
        )}
      </div>
    </Disclosure>
  );
}

const UNDECIDED: Readonly<Record<string, string>> = {
  waiting: 'Will be sent when connected',
  gone: 'The server does not know this request any more',
  sending: 'Sending…',
};

function Ago({ time }: { time: string | null }) {
  const now = useNow(time !== null);
  if (!time) return null;
  return (
    <time className={styles.faint} dateTime={time} title={new Date(time).toLocaleString()}>
      , {ago(now - Date.parse(time))}
    </time>
  );
}
