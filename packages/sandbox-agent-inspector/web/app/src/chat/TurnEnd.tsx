/** What stands at the end of a turn: that it runs, why it failed, what it came to. */

import { useState } from 'react';
import type { Turn } from 'sandbox-agent-client';
import {
  formatDuration,
  formatElapsed,
  useNow,
  useServerSelector,
  useSessionStore,
} from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import { paths, useNavigate } from '../shell/navigation.ts';
import { notify } from '../shell/notify.tsx';
import { Banner, Button, Disclosure, Foreign } from '../ui/index.ts';
import { useChat } from './context.ts';
import { durationOf, formatCost, formatTokens, stopWords } from './format.ts';
import styles from './rows.module.css';

/** Codes of errors that may pass by themselves. */
const RETRYABLE = new Set([
  'agent_overloaded',
  'agent_rate_limited',
  'limit_reached',
  'request_timeout',
  'storage_error',
  'timeout',
  'unavailable',
]);

export function WorkingRow({ turn, isWaiting }: { turn: Turn; isWaiting: boolean }) {
  const { sessionId, agent } = useChat();
  const now = useNow(true);
  const line = useServerSelector(({ activity }) => activity.get(sessionId));
  const ms = turn.startedAt ? now - Date.parse(turn.startedAt) : 0;
  return (
    <div className={styles.working}>
      <span className={styles.dots} data-waiting={isWaiting || undefined} aria-hidden />
      <span>{isWaiting ? 'Waiting for you' : `${agent} works`}</span>
      <span>{formatElapsed(ms)}</span>
      {line && !isWaiting && <Foreign className={styles.activity} text={line} maxChars={90} />}
    </div>
  );
}

export function SummaryRow({ turn, number }: { turn: Turn; number: number }) {
  const { sessionId } = useChat();
  const navigate = useNavigate();
  const ms = durationOf(turn);
  const tokens = turn.usage ? formatTokens(turn.usage) : null;
  const changed = turn.changes?.totals;
  const stopped = stopWords(turn);
  const answer = answerOf(turn);
  return (
    <div className={styles.divider}>
      <div className={styles.facts}>
        <strong>turn {number}</strong>
        {stopped && <span className={styles.stopped}>{stopped}</span>}
        {ms !== null && <span>{formatDuration(ms)}</span>}
        {tokens && <span>{tokens}</span>}
        {turn.cost && <span>{formatCost(turn.cost)}</span>}
        {changed && (changed.files ?? 0) > 0 && (
          <span>
            {changed.files} {changed.files === 1 ? 'file' : 'files'}{' '}
            <span className={styles.added}>+{changed.additions ?? 0}</span>{' '}
            <span className={styles.removed}>−{changed.deletions ?? 0}</span>
          </span>
        )}
      </div>
      <div className={styles.buttons}>
        {turn.id && (changed?.files ?? 0) > 0 && (
          <Button
            size="small"
            look="quiet"
            onPress={() => navigate(paths.diff(sessionId, turn.id ?? ''))}
          >
            Turn diff
          </Button>
        )}
        {answer && (
          <Button size="small" look="quiet" onPress={() => copyText(answer, 'Answer')}>
            Copy
          </Button>
        )}
      </div>
    </div>
  );
}

/** What the agent said in a turn, without what its sub-agents said. */
function answerOf(turn: Turn): string {
  return (turn.items ?? [])
    .flatMap((item) =>
      item.type === 'message' && item.role !== 'user' && !item.parentToolCallId && item.text
        ? [item.text.trim()]
        : [],
    )
    .join('\n\n');
}

export function ErrorRow({ turn, isLast }: { turn: Turn; isLast: boolean }) {
  const { sessionId, agent } = useChat();
  const store = useSessionStore(sessionId);
  const [isOpen, setOpen] = useState(false);
  const [isSending, setSending] = useState(false);
  const { error, prompt } = turn;
  if (!error) return null;
  const retry = async () => {
    setSending(true);
    try {
      await store.send([...(prompt ?? [])]);
    } catch (problem) {
      notify({ title: 'The prompt was not sent again', detail: String(problem), tone: 'error' });
    } finally {
      setSending(false);
    }
  };
  const canRetry = isLast && RETRYABLE.has(error.code) && prompt != null && prompt.length > 0;
  const details = error.data === undefined || error.data === null ? null : error.data;
  return (
    <Banner
      tone="err"
      title={`${agent} could not go on`}
      actions={
        canRetry && (
          <Button size="small" isDisabled={isSending} onPress={retry}>
            Try again
          </Button>
        )
      }
    >
      <p>
        <bdi>{error.message || 'It did not say why.'}</bdi>
      </p>
      <p className={styles.code}>
        <Foreign text={error.code} maxChars={60} />
        {error.rpcCode != null && ` (${error.rpcCode})`}
      </p>
      {details !== null && (
        <Disclosure summary="Details" isOpen={isOpen} onToggle={setOpen}>
          <pre className={styles.stderr}>{JSON.stringify(details, null, 2).slice(0, 20_000)}</pre>
        </Disclosure>
      )}
    </Banner>
  );
}
