import { useState } from 'react';
import { ApiError } from 'sandbox-agent-client';
import { foreign, useClient, useComposerContext } from 'sandbox-agent-react';
import { Banner, Button, Foreign } from '../ui/index.ts';
import styles from './Composer.module.css';

/** Why something is not sent, or what happens when it is: never a field without a reason. */
export function ComposerNotice({ sessionId }: { sessionId: string }) {
  const composer = useComposerContext();
  const { problem, sending, isConnected, blocked, info, isEscapeArmed, store, text } = composer;
  if (blocked?.why === 'damaged') {
    return (
      <Banner tone="err" title="This session is damaged and takes no prompts.">
        {blocked.detail && <Foreign text={blocked.detail} maxChars={400} />}
      </Banner>
    );
  }
  if (problem) {
    return (
      <Banner
        tone="err"
        title={titleOf(problem)}
        actions={
          <>
            <Button size="small" look="quiet" onPress={() => store.dismiss()}>
              Dismiss
            </Button>
            {composer.canSend && (
              <Button size="small" onPress={() => composer.send()}>
                Try again
              </Button>
            )}
          </>
        }
      >
        {foreign(problem.message)}
      </Banner>
    );
  }
  if (sending && composer.outbox.some((one) => one.state === 'waiting')) {
    return (
      <p className={styles.hint} role="status">
        Will be sent when connected.
        <Button size="small" look="quiet" onPress={() => store.withdraw()}>
          Take back
        </Button>
      </p>
    );
  }
  if (!isConnected && text.trim() !== '') {
    return (
      <p className={styles.hint}>Not connected: it will be sent when the connection is back.</p>
    );
  }
  if (blocked?.why === 'ended') return <Ended sessionId={sessionId} />;
  if (isEscapeArmed) {
    return (
      <p className={styles.hint} role="status">
        Press Esc again to stop the turn.
      </p>
    );
  }
  if (info?.status === 'dormant') {
    return <p className={styles.hint}>Asleep: your next message wakes it.</p>;
  }
  return null;
}

function titleOf(problem: Error): string {
  if (!(problem instanceof ApiError)) return 'Your message was not sent.';
  if (problem.status === 401) return 'Your message was not sent: the token is not valid any more.';
  if (problem.status === 403) return 'This token may not send prompts.';
  return 'The server did not take your message.';
}

function Ended({ sessionId }: { sessionId: string }) {
  const client = useClient();
  const [state, setState] = useState<{ isBusy: boolean; error: string | null }>({
    isBusy: false,
    error: null,
  });
  const resume = async () => {
    setState({ isBusy: true, error: null });
    try {
      await client.sessions.resume(sessionId);
    } catch (error) {
      setState({ isBusy: false, error: error instanceof Error ? error.message : String(error) });
    }
  };
  return (
    <p className={styles.hint}>
      {state.error ? foreign(state.error) : 'This session has ended: your next message resumes it.'}
      <Button size="small" isDisabled={state.isBusy} onPress={() => void resume()}>
        {state.isBusy ? 'Resuming…' : 'Resume'}
      </Button>
    </p>
  );
}
