import { GitBranch, RefreshCw } from 'lucide-react';
import { useCallback, useEffect, useMemo, useState } from 'react';
import type { GitDiff, GitStatus } from 'sandbox-agent-client';
import { ApiError } from 'sandbox-agent-client';
import { fileDiffsOf, type UsedFileTree, useClient } from 'sandbox-agent-react';
import { DiffList } from '../diff/DiffList.tsx';
import {
  Badge,
  Banner,
  Button,
  EmptyState,
  Foreign,
  IconButton,
  Select,
  Skeleton,
} from '../ui/index.ts';
import styles from './ChangesView.module.css';

type Base = 'HEAD' | 'merge-base';

type Shown =
  | { state: 'loading' }
  | { state: 'ready'; diff: GitDiff; status: GitStatus }
  | { state: 'none'; reason: string }
  | { state: 'failed'; problem: string };

const AFTER_CHANGE_MS = 800;

/** What differs from a commit, whoever did it: committed since, staged, unstaged and untracked. */
export function ChangesView({ directory, files }: { directory: string; files: UsedFileTree }) {
  const client = useClient();
  const [base, setBase] = useState<Base>('HEAD');
  const [shown, setShown] = useState<Shown>({ state: 'loading' });

  const load = useCallback(async () => {
    const query = base === 'HEAD' ? {} : { base };
    try {
      const [diff, status] = await Promise.all([
        client.git.diff(directory, query),
        client.git.status(directory, query),
      ]);
      setShown({ state: 'ready', diff, status });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      const isNone = error instanceof ApiError && NO_REPOSITORY.has(error.code);
      setShown(isNone ? { state: 'none', reason: problem } : { state: 'failed', problem });
    }
  }, [client, directory, base]);

  useEffect(() => {
    void load();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = files.onChange(() => {
      clearTimeout(timer);
      timer = setTimeout(() => void load(), AFTER_CHANGE_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [load, files]);

  const diffs = useMemo(
    () =>
      shown.state === 'ready'
        ? fileDiffsOf(shown.diff.files ?? [], shown.diff.patch ?? '', shown.diff.truncated)
        : [],
    [shown],
  );

  if (shown.state === 'loading')
    return (
      <div className={styles.loading}>
        <Skeleton lines={[30, 80, 72, 64]} />
      </div>
    );
  if (shown.state === 'none')
    return (
      <EmptyState icon={<GitBranch />} title="Not a git repository">
        <p>
          Changes are told against a commit. Run <code>git init</code> here, or look at what a
          session has changed in its Changes tab.
        </p>
      </EmptyState>
    );
  if (shown.state === 'failed')
    return (
      <EmptyState
        title="The changes cannot be told"
        actions={<Button onPress={() => void load()}>Try again</Button>}
      >
        {shown.problem}
      </EmptyState>
    );
  const { status, diff } = shown;
  return (
    <div className={styles.changes}>
      <header className={styles.header}>
        <GitBranch aria-hidden className={styles.icon} />
        <span className={styles.branch}>
          {status.branch ? <Foreign text={status.branch} maxChars={60} /> : 'no branch'}
        </span>
        {status.ahead ? <Badge>{status.ahead} ahead</Badge> : null}
        {status.behind ? <Badge>{status.behind} behind</Badge> : null}
        <span className={styles.space} />
        <Select
          label="Compared with"
          hideLabel
          value={base}
          onChange={(id) => setBase(id as Base)}
          options={BASES}
          className={styles.base}
        />
        <IconButton label="Read again" onPress={() => void load()}>
          <RefreshCw />
        </IconButton>
      </header>
      {diff.truncated && (
        <Banner tone="info">
          The patch is longer than the server answers with: some files are listed without it.
        </Banner>
      )}
      <div className={styles.list}>
        {diffs.length === 0 ? (
          <EmptyState title="Nothing has changed">
            <p>
              All files are as they are in {base === 'HEAD' ? 'the last commit' : 'the main branch'}
              .
            </p>
          </EmptyState>
        ) : (
          <DiffList files={diffs} />
        )}
      </div>
    </div>
  );
}

const BASES = [
  { id: 'HEAD', label: 'Since the last commit' },
  { id: 'merge-base', label: 'Since the branch began' },
];

const NO_REPOSITORY = new Set(['git_repository_not_found', 'git_not_installed']);
