/** What can be done with a session besides talking to it, with the questions that come before. */

import {
  createContext,
  lazy,
  type ReactNode,
  Suspense,
  useContext,
  useMemo,
  useState,
} from 'react';
import type { SessionInfo } from 'sandbox-agent-client';
import { useClient, useServerStore } from 'sandbox-agent-react';
import { navigate, paths } from '../shell/navigation.ts';
import { notify } from '../shell/notify.tsx';
import { Button, ConfirmDialog } from '../ui/index.ts';
import { wordsOf } from './problems.ts';

export interface Operations {
  rename(title: string): Promise<void>;
  set(settings: { model?: string; mode?: string; thoughtLevel?: string }): Promise<void>;
  resume(): Promise<void>;
  compact(): Promise<void>;
  review(): Promise<void>;
  /** With all of it, or with what was before a turn. */
  fork(beforeTurnId?: string): Promise<void>;
  askRewind(turnId: string): void;
  askEnd(): void;
  askExport(): void;
  /** What is on its way, in a word. */
  busy: string | null;
}

const Context = createContext<Operations | null>(null);

const RewindDialog = lazy(async () => ({
  default: (await import('./RewindDialog.tsx')).RewindDialog,
}));
const ExportDialog = lazy(async () => ({
  default: (await import('../export/ExportDialog.tsx')).ExportDialog,
}));

export function useOperations(): Operations {
  const operations = useContext(Context);
  if (operations === null) throw new Error('useOperations needs an OperationsProvider.');
  return operations;
}

export function OperationsProvider({
  sessionId,
  children,
}: {
  sessionId: string;
  children: ReactNode;
}) {
  const client = useClient();
  const store = useServerStore();
  const [busy, setBusy] = useState<string | null>(null);
  const [rewindTo, setRewindTo] = useState<string | null>(null);
  const [isEnding, setEnding] = useState(false);
  const [isExporting, setExporting] = useState(false);

  const operations = useMemo<Operations>(() => {
    const { sessions } = client;
    const run = async (word: string, failed: string, work: () => Promise<unknown>) => {
      setBusy(word);
      try {
        await work();
        store.refreshSession(sessionId);
      } catch (problem) {
        notify({ title: failed, detail: wordsOf(problem), tone: 'error' });
      } finally {
        setBusy(null);
      }
    };
    return {
      busy,
      rename: (title) =>
        run('rename', 'It could not be renamed', () => sessions.patch(sessionId, { title })),
      set: (settings) =>
        run('set', 'The setting was refused', () => sessions.patch(sessionId, settings)),
      resume: () =>
        run('resume', 'The session could not be resumed', () => sessions.resume(sessionId)),
      compact: () =>
        run('compact', 'The context was not compacted', () => sessions.compact(sessionId)),
      review: () =>
        run('review', 'The review did not begin', () =>
          sessions.review(sessionId, { target: { type: 'uncommitted' } }),
        ),
      fork: (beforeTurnId) =>
        run('fork', 'The session could not be forked', async () => {
          const body = beforeTurnId === undefined ? {} : { beforeTurnId };
          const made: SessionInfo = await sessions.fork(sessionId, body);
          navigate(paths.session(made.id));
          notify({ title: 'A new session, from here', tone: 'ok' });
        }),
      askRewind: setRewindTo,
      askEnd: () => setEnding(true),
      askExport: () => setExporting(true),
    };
  }, [client, store, sessionId, busy]);

  return (
    <Context.Provider value={operations}>
      {children}
      <Suspense>
        {rewindTo !== null && (
          <RewindDialog sessionId={sessionId} turnId={rewindTo} onClose={() => setRewindTo(null)} />
        )}
        {isExporting && <ExportDialog sessionId={sessionId} onClose={() => setExporting(false)} />}
      </Suspense>
      <ConfirmDialog
        title="End this session?"
        action="End session"
        danger
        isOpen={isEnding}
        onOpenChange={setEnding}
        onConfirm={() => {
          client.sessions.end(sessionId).then(
            () => store.refreshSession(sessionId),
            (problem: unknown) =>
              notify({
                title: 'The session was not ended',
                detail: wordsOf(problem),
                tone: 'error',
              }),
          );
        }}
      >
        <p>
          The agent stops, also in the middle of its work. What was said stays, and you can resume
          the session later.
        </p>
      </ConfirmDialog>
    </Context.Provider>
  );
}

export function ResumeButton() {
  const { resume, busy } = useOperations();
  return (
    <Button size="small" isDisabled={busy !== null} onPress={resume}>
      {busy === 'resume' ? 'Resuming…' : 'Resume'}
    </Button>
  );
}
