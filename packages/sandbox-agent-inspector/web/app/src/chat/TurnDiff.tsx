/** What a turn, or the whole session, has done to the files: the side panel's tab "Changes". */

import { FileDiff } from 'lucide-react';
import { useEffect, useMemo, useState } from 'react';
import type { SessionDiff } from 'sandbox-agent-client';
import { fileDiffsOf, useClient, useSessionSelector } from 'sandbox-agent-react';
import { DiffList } from '../diff/index.ts';
import { navigate, paths } from '../shell/navigation.ts';
import { Banner, Button, EmptyState, Select, Skeleton } from '../ui/index.ts';
import { wordsOf } from './problems.ts';
import styles from './TurnDiff.module.css';

type Answer = { of: string; diff: SessionDiff } | { of: string; problem: string };

const ALL = 'all';

export function TurnDiff({ sessionId, turnId }: { sessionId: string; turnId: string | null }) {
  const client = useClient();
  const transcript = useSessionSelector(sessionId, (snapshot) => snapshot.transcript);
  const complete = useSessionSelector(sessionId, (snapshot) => snapshot.complete);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [attempt, setAttempt] = useState(0);

  const turns = transcript.turns.filter((turn) => turn.id);
  const changed = turns.filter(
    (turn) => (turn.changes?.totals.files ?? 0) > 0 || turn.id === turnId,
  );
  // The patch of a turn comes a moment after its end; that of a session grows with each.
  const version = changed.map((turn) => `${turn.id}:${turn.changes ? 1 : 0}`).join(' ');
  const wanted = `${turnId ?? ALL} ${version} ${attempt}`;
  useEffect(() => {
    let isGone = false;
    client.sessions.diff(sessionId, turnId === null ? {} : { turn: turnId }).then(
      (diff) => {
        if (!isGone) setAnswer({ of: wanted, diff });
      },
      (problem: unknown) => {
        if (!isGone) setAnswer({ of: wanted, problem: wordsOf(problem) });
      },
    );
    return () => {
      isGone = true;
    };
  }, [client, sessionId, turnId, wanted]);

  const options = [
    { id: ALL, label: 'Whole session' },
    ...changed.map((turn) => ({
      id: turn.id ?? '',
      label: complete ? `Turn ${turns.indexOf(turn) + 1}` : 'A turn',
      description: promptLine(turn),
    })),
  ];
  return (
    <div className={styles.view}>
      <Select
        label="Changes of"
        hideLabel
        className={styles.choice}
        value={turnId ?? ALL}
        options={options}
        onChange={(id) => navigate(paths.diff(sessionId, id === ALL ? null : id))}
      />
      <Changes key={turnId ?? ALL} answer={answer} onRetry={() => setAttempt(attempt + 1)} />
    </div>
  );
}

function promptLine(turn: {
  prompt?: readonly { type?: string; text?: unknown }[] | null;
}): string {
  const text = turn.prompt?.find((block) => block.type === 'text')?.text;
  return typeof text === 'string' ? (text.trim().split('\n', 1)[0] ?? '').slice(0, 80) : '';
}

interface ChangesProps {
  answer: Answer | null;
  onRetry: () => void;
}

function Changes({ answer, onRetry }: ChangesProps) {
  const diff = answer && 'diff' in answer ? answer.diff : null;
  const files = useMemo(
    () => (diff ? fileDiffsOf(diff.files ?? [], diff.patch ?? '', diff.truncated) : []),
    [diff],
  );
  if (answer === null) return <Skeleton lines={[50, 90, 82, 95, 40]} />;
  if ('problem' in answer) {
    return (
      <Banner
        tone="err"
        title="The changes could not be read"
        actions={
          <Button size="small" onPress={onRetry}>
            Try again
          </Button>
        }
      >
        <p>{answer.problem}</p>
      </Banner>
    );
  }
  if (files.length === 0) {
    return (
      <EmptyState icon={<FileDiff />} title="No changes">
        <p>
          {diff?.skipped ? skippedWords(diff.skipped) : 'No file was changed, added or deleted.'}
        </p>
      </EmptyState>
    );
  }
  return (
    <>
      {diff?.truncated && (
        <Banner title="These are not all changes">
          <p>The whole is too long to be kept. The files tell the rest.</p>
        </Banner>
      )}
      <DiffList files={files} truncated={diff?.truncated ?? false} />
    </>
  );
}

function skippedWords(reason: string): string {
  return `The changes were not recorded: ${reason}.`;
}
