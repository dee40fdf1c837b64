/** A session: its header, the conversation, what it asks, and the composer. */

import { MessagesSquare, ServerCrash } from 'lucide-react';
import { useMemo } from 'react';
import type { SessionSnapshot } from 'sandbox-agent-client';
import { useSession, useSessionStore } from 'sandbox-agent-react';
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
  const snapshot = useSession(sessionId);
  const { info, transcript } = snapshot;
  const agent = info?.agent ?? transcript.agent ?? 'The agent';
  const cwd = info?.cwd ?? transcript.cwd ?? '/';
  const context = useMemo(() => ({ sessionId, cwd, agent }), [sessionId, cwd, agent]);
  return (
    <ChatProvider value={context}>
      <OperationsProvider sessionId={sessionId}>
        <section className={styles.view} aria-label="Session">
          <Content snapshot={snapshot} />
        </section>
        <LinkGate />
      </OperationsProvider>
    </ChatProvider>
  );
}

function Content({ snapshot }: { snapshot: SessionSnapshot }) {
  const store = useSessionStore(snapshot.id);
  const { state, transcript, outbox } = snapshot;
  if (state === 'missing') {
    return (
      <EmptyState
        icon={<MessagesSquare />}
        title="This session is not here"
        actions={<Button onPress={() => navigate(paths.sessions())}>Show the sessions</Button>}
      >
        <p>
          There is no <Foreign text={snapshot.id} maxChars={40} /> on this server. It may have been
          deleted, or the link is of another server.
        </p>
      </EmptyState>
    );
  }
  const hasRows = transcript.turns.length > 0 || outbox.length > 0;
  if (state === 'failed' && !hasRows) {
    return (
      <EmptyState
        icon={<ServerCrash />}
        title="The session could not be read"
        actions={<Button onPress={() => store.reload()}>Try again</Button>}
      >
        <p>{snapshot.problem?.message ?? 'The server did not say why.'}</p>
      </EmptyState>
    );
  }
  return (
    <>
      <SessionHeader snapshot={snapshot} />
      {state === 'loading' && !hasRows ? (
        <LoadingRows />
      ) : hasRows ? (
        <Conversation snapshot={snapshot} />
      ) : (
        <EmptyChat snapshot={snapshot} />
      )}
      <div className={styles.below}>
        <RunningTasks snapshot={snapshot} />
        <SessionBanner snapshot={snapshot} />
        <Composer sessionId={snapshot.id} />
      </div>
    </>
  );
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
