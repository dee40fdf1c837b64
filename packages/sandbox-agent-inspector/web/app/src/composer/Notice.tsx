import { ApiError } from 'sandbox-agent-client';
import { foreign, useComposerContext, useLocalNow } from 'sandbox-agent-react';
import { Banner, Button } from '../ui/index.ts';
import styles from './Composer.module.css';

const SLOW_MS = 1500;

/** Why something is not sent, or what happens when it is: never a field without a reason. */
export function ComposerNotice() {
  const composer = useComposerContext();
  const pending = composer.outbox.find((one) => one.state !== 'accepted');
  const now = useLocalNow(pending !== undefined);
  const isSlow = pending?.state === 'waiting' || now - (pending?.createdAt ?? now) > SLOW_MS;
  const { problem, sending, isConnected, isEscapeArmed, store, text } = composer;
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
  if (sending && isSlow) {
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
  if (isEscapeArmed) {
    return (
      <p className={styles.hint} role="status">
        Press Esc again to stop the turn.
      </p>
    );
  }
  return null;
}

function titleOf(problem: Error): string {
  if (!(problem instanceof ApiError)) return 'Your message was not sent.';
  if (problem.status === 401) return 'Your message was not sent: the token is not valid any more.';
  if (problem.status === 403) return 'This token may not send prompts.';
  return 'The server did not take your message.';
}
