/** What a session is when it is not simply there: asleep, ended, damaged, starting. */

import type { ReactNode } from 'react';
import { useSessionInfo, useSessionSelector } from 'sandbox-agent-react';
import { Banner, Foreign } from '../ui/index.ts';
import styles from './ChatView.module.css';
import { useChat } from './context.ts';
import { ResumeButton } from './operations.tsx';

export function SessionBanner({ sessionId }: { sessionId: string }) {
  const content = useContent(sessionId);
  return content === null ? null : <div className={styles.banner}>{content}</div>;
}

function useContent(sessionId: string): ReactNode {
  const { agent } = useChat();
  const info = useSessionInfo(sessionId);
  const ended = useSessionSelector(sessionId, ({ transcript }) => transcript.ended);
  const state = useSessionSelector(sessionId, (snapshot) => snapshot.state);
  const problem = useSessionSelector(sessionId, (snapshot) => snapshot.problem);
  if (state === 'failed') {
    return (
      <Banner tone="err" title="The rest of the conversation could not be read">
        <p>{problem?.message}</p>
      </Banner>
    );
  }
  switch (info?.status) {
    case 'dormant':
      return <Banner title={`${agent} is asleep: your next message wakes it`} />;
    case 'ended': {
      const reason = ended && !USUAL_ENDS.has(ended.reason) ? ended.reason : null;
      return (
        <Banner title="This session has ended" actions={<ResumeButton />}>
          {reason && (
            <p>
              <Foreign text={reason} />
              {ended?.detail && (
                <>
                  {': '}
                  <Foreign text={ended.detail} />
                </>
              )}
            </p>
          )}
        </Banner>
      );
    }
    case 'damaged':
      return (
        <Banner tone="err" title="The log of this session is damaged">
          <p>{info.damage ?? 'It cannot be gone on with. What can be read is shown.'}</p>
        </Banner>
      );
    case 'starting':
      return <Banner title={`${agent} starts…`} />;
    default:
      return null;
  }
}

const USUAL_ENDS: ReadonlySet<string> = new Set(['client', 'deleted', 'ended']);
