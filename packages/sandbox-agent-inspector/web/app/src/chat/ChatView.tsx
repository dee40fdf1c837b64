/** A session: its header, the conversation, what it asks, and the composer. */

import { MessagesSquare, ServerCrash } from 'lucide-react';
import { useMemo } from 'react';
import { useSession, useSessionSelector, useSessionStore } from 'sandbox-agent-react';
import { Composer } from '../composer/Composer.tsx';
import { navigate, paths } from '../shell/navigation.ts';
import { Button, EmptyState, Foreign, Skeleton } from '../ui/index.ts';
import styles from './ChatView.module.css';
import { Conversation } from './Conversation.tsx';
import { ChatProvider } from './context.ts';
import { EmptyChat } from './EmptyChat.tsx';
import { LinkGate } from './links.tsx';
import { OperationsProvider } from './operations.tsx';
import { RunningTasks } from './RunningTasks.tsx';
import { SessionBanner } from './SessionBanner.tsx';
import { SessionHeader } from './SessionHeader.tsx';

export function ChatView({ sessionId }: { sessionId: string }) {
  const agent = useSessionSelector(
    sessionId,
    ({ info, transcript }) => info?.agent ?? transcript.agent ?? 'The agent',
  );
  const cwd = useSessionSelector(
    sessionId,
    ({ info, transcript }) => info?.cwd ?? transcript.cwd ?? '/',
  );
  const context = useMemo(() => ({ sessionId, cwd, agent }), [sessionId, cwd, agent]);
  return (
    <ChatProvider value={context}>
      <OperationsProvider sessionId={sessionId}>
        <section className={styles.view} aria-label="Session">
          <Content sessionId={sessionId} />
        </section>
        <LinkGate />
      </OperationsProvider>
    </ChatProvider>
  );
}

/** Each part reads what it shows: a text that is being written renders the conversation, and nothing around it. */
function Content({ sessionId }: { sessionId: string }) {
  const store = useSessionStore(sessionId);
  const state = useSessionSelector(sessionId, (snapshot) => snapshot.state);
  const problem = useSessionSelector(sessionId, (snapshot) => snapshot.problem);
  const hasRows = useSessionSelector(
    sessionId,
    ({ transcript, outbox }) => transcript.turns.length > 0 || outbox.length > 0,
  );
  if (state === 'missing') {
    return (
      <EmptyState
        icon={<MessagesSquare />}
        title="This session is not here"
        actions={<Button onPress={() => navigate(paths.sessions())}>Show the sessions</Button>}
      >
        <p>
          There is no <Foreign text={sessionId} maxChars={40} /> on this server. It may have been
          deleted, or the link is of another server.
        </p>
      </EmptyState>
    );
  }
  if (state === 'failed' && !hasRows) {
    return (
      <EmptyState
        icon={<ServerCrash />}
        title="The session could not be read"
        actions={<Button onPress={() => store.reload()}>Try again</Button>}
      >
        <p>{problem?.message ?? 'The server did not say why.'}</p>
      </EmptyState>
    );
  }
  return (
    <>
      <SessionHeader sessionId={sessionId} />
      {state === 'loading' && !hasRows ? (
        <LoadingRows />
      ) : hasRows ? (
        <Rows sessionId={sessionId} />
      ) : (
        <Empty sessionId={sessionId} />
      )}
      <div className={styles.below}>
        <RunningTasks sessionId={sessionId} />
        <SessionBanner sessionId={sessionId} />
        <Composer sessionId={sessionId} />
      </div>
    </>
  );
}

function Rows({ sessionId }: { sessionId: string }) {
  return <Conversation snapshot={useSession(sessionId)} />;
}

function Empty({ sessionId }: { sessionId: string }) {
  return <EmptyChat snapshot={useSession(sessionId)} />;
}

/** Of the heights that rows have. */
function LoadingRows() {
  return (
    <div className={styles.loading} role="status" aria-label="Loading the conversation">
      <div className={styles.loadingPrompt}>
        <Skeleton lines={[24, 62]} />
      </div>
      <Skeleton lines={[18]} />
      <Skeleton lines={[92, 96, 58]} />
      <div className={styles.loadingPrompt}>
        <Skeleton lines={[20, 45]} />
      </div>
      <Skeleton lines={[94, 88, 97, 30]} />
    </div>
  );
}
