import { CircleCheck } from 'lucide-react';
import { useMemo } from 'react';
import type { RequestInfo, SessionInfo } from 'sandbox-agent-client';
import {
  fromInfo,
  useConnection,
  useInbox,
  useRequestModel,
  useSessions,
} from 'sandbox-agent-react';
import { titleOf } from '../sessions/naming.ts';
import { paths, useHref, useNavigate } from '../shell/navigation.ts';
import { usePreferences } from '../shell/preferences.ts';
import { EmptyState, Foreign, Kbd, Skeleton, TextField } from '../ui/index.ts';
import { CardFrame } from './CardFrame.tsx';
import styles from './Inbox.module.css';
import { useAnsweredHere } from './useAnsweredHere.ts';
import { useRequestKeys } from './useRequestKeys.ts';

/** What waits for a person, over all sessions: by deadline, answered in place. */
export function Inbox() {
  const requests = useAnsweredHere();
  const waiting = useInbox().length;
  const { state } = useConnection();
  const sessions = useSessions();
  useRequestKeys();
  return (
    <section className={styles.inbox} aria-labelledby="inbox-title">
      <header className={styles.top}>
        <div>
          <h1 id="inbox-title" className={styles.title}>
            Waiting for you
          </h1>
          <p className={styles.count}>
            {waiting === 0
              ? 'Nothing right now'
              : `${waiting} ${waiting === 1 ? 'request' : 'requests'}, the nearest deadline first`}
          </p>
        </div>
        <Name />
      </header>
      {waiting > 0 && (
        <p className={styles.keys}>
          <Kbd keys="Alt Y" /> allow once <Kbd keys="Alt N" /> deny <Kbd keys="Alt ↓" /> next{' '}
          <Kbd keys="Alt ↑" /> previous
        </p>
      )}
      {requests.length === 0 &&
        (state === 'connecting' ? (
          <Skeleton />
        ) : (
          <EmptyState icon={<CircleCheck />} title="Nothing waits for you">
            When an agent asks for a permission or has a question, it is here, whichever session it
            is in.
          </EmptyState>
        ))}
      <ol className={styles.list}>
        {requests.map((info) => (
          <Row
            key={`${info.sessionId}/${info.id}`}
            info={info}
            session={sessions.find((one) => one.id === info.sessionId) ?? null}
          />
        ))}
      </ol>
    </section>
  );
}

function Row({ info, session }: { info: RequestInfo; session: SessionInfo | null }) {
  const actor = usePreferences((preferences) => preferences.actor);
  const sessionId = info.sessionId ?? '';
  const model = useMemo(() => fromInfo(sessionId, info), [sessionId, info]);
  const handle = useRequestModel(model, { actor });
  return (
    <li>
      <SessionLine id={sessionId} session={session} />
      <CardFrame handle={handle} />
    </li>
  );
}

function SessionLine({ id, session }: { id: string; session: SessionInfo | null }) {
  const navigate = useNavigate();
  const path = paths.session(id);
  const href = useHref(path);
  return (
    <p className={styles.session}>
      <a
        href={href}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
          event.preventDefault();
          navigate(path);
        }}
      >
        <Foreign text={session ? titleOf(session) : id} maxChars={80} />
      </a>
      {session && (
        <span className={styles.where}>
          <Foreign text={session.agent} maxChars={40} />
          {' · '}
          <Foreign text={session.cwd} maxChars={80} />
        </span>
      )}
    </p>
  );
}

/** Set once: others see who has answered. */
function Name() {
  const actor = usePreferences((preferences) => preferences.actor);
  const set = usePreferences((preferences) => preferences.set);
  return (
    <TextField
      className={styles.name}
      label="Your name, shown with your answers"
      value={actor}
      onChange={(name) => set({ actor: name })}
      placeholder="Nobody in particular"
      maxLength={60}
      autoComplete="name"
    />
  );
}
