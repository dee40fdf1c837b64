/** What a session asks, in its row: seen whole it can be allowed here, else it is reviewed where all of it is shown. */

import { useEffect, useRef, useState } from 'react';
import type { RequestInfo, SessionInfo } from 'sandbox-agent-client';
import { ApiError } from 'sandbox-agent-client';
import { foreign, useClient, useConnection } from 'sandbox-agent-react';
import { navigate, paths } from '../shell/navigation.ts';
import { notify } from '../shell/notify.tsx';
import { usePreferences } from '../shell/preferences.ts';
import { useScreenWidth } from '../shell/screen.ts';
import { Button, Foreign } from '../ui/index.ts';
import { countdown, titleOf } from './naming.ts';
import { fitsInList, onceOption, summaryOf } from './request-summary.ts';
import { useNow } from './use-now.ts';
import styles from './WaitingLine.module.css';

/** A button that has just come under the pointer answers nothing. */
const GUARD_MS = 400;

/** Of a row, what is not the line; and a letter of it, rounded up. */
const AROUND_PX = 60;
const CHAR_PX = 7.4;

function useListWidth(): number {
  const leftWidth = usePreferences((preferences) => preferences.leftWidth);
  return useScreenWidth() === 'narrow' ? window.innerWidth : leftWidth;
}

interface WaitingLineProps {
  session: SessionInfo;
  request: RequestInfo;
  /** How many others wait in the same session. */
  more: number;
}

export function WaitingLine({ session, request, more }: WaitingLineProps) {
  const client = useClient();
  const { state } = useConnection();
  const now = useNow(1000);
  const [isSending, setSending] = useState(false);
  const since = useRef(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another request begins anew
  useEffect(() => {
    since.current = performance.now();
    setSending(false);
  }, [request.id]);

  const answer = async (optionId: string) => {
    if (performance.now() - since.current < GUARD_MS) {
      return;
    }
    setSending(true);
    const actor = usePreferences.getState().actor;
    try {
      await client.requests.answer(session.id, request.id, {
        optionId,
        ...(actor ? { actor } : {}),
      });
    } catch (error) {
      setSending(false);
      if (error instanceof ApiError && error.status === 409) {
        notify({ title: 'Somebody else was first', detail: foreign(titleOf(session)) });
      } else {
        notify({
          title: 'The answer did not arrive',
          detail: error instanceof Error ? error.message : String(error),
          tone: 'error',
        });
      }
    }
  };

  const width = useListWidth();
  const mostChars = Math.floor((width - AROUND_PX) / CHAR_PX) - (more > 0 ? 4 : 0);
  const allow = fitsInList(request, mostChars) ? onceOption(request, 'allow_once') : null;
  const deny = request.kind === 'permission' ? onceOption(request, 'reject_once') : null;
  const isOff = isSending || state !== 'live';
  const summary = summaryOf(request);
  return (
    <div className={styles.waiting}>
      <p className={styles.line} title={foreign(summary).slice(0, 1000)}>
        <Foreign text={summary} maxChars={160} />
        {more > 0 ? <span className={styles.more}> +{more}</span> : null}
      </p>
      <div className={styles.actions}>
        {allow ? (
          <Button size="small" look="primary" isDisabled={isOff} onPress={() => answer(allow)}>
            Allow once
          </Button>
        ) : (
          <Button size="small" onPress={() => navigate(paths.session(session.id))}>
            {request.kind === 'question' ? 'Answer' : 'Review'}
          </Button>
        )}
        {deny ? (
          <Button size="small" isDisabled={isOff} onPress={() => answer(deny)}>
            Deny
          </Button>
        ) : null}
        <span className={styles.deadline} title={`Then: ${request.default}`}>
          {isSending ? 'sending…' : countdown(request.expiresAt, now)}
        </span>
      </div>
    </div>
  );
}
