import { useEffect, useState } from 'react';
import type { RewindResult } from 'sandbox-agent-client';
import { useClient, useServerStore } from 'sandbox-agent-react';
import { notify } from '../shell/notify.tsx';
import { Banner, Button, Dialog, Foreign, Skeleton, Switch } from '../ui/index.ts';
import { wordsOf } from './problems.ts';
import styles from './RewindDialog.module.css';

interface RewindDialogProps {
  sessionId: string;
  turnId: string;
  onClose: () => void;
}

const MOST_FILES = 50;

/** Says what going back would do before it does it. */
export function RewindDialog({ sessionId, turnId, onClose }: RewindDialogProps) {
  const client = useClient();
  const store = useServerStore();
  const [forgets, setForgets] = useState(true);
  const [putsBack, setPutsBack] = useState(false);
  const [preview, setPreview] = useState<RewindResult | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);

  useEffect(() => {
    let isGone = false;
    setPreview(null);
    setProblem(null);
    const body = { turnId, conversation: forgets, files: putsBack, dryRun: true };
    client.sessions.rewind(sessionId, body).then(
      (result) => {
        if (!isGone) setPreview(result);
      },
      (reason: unknown) => {
        if (!isGone) setProblem(wordsOf(reason));
      },
    );
    return () => {
      isGone = true;
    };
  }, [client, sessionId, turnId, forgets, putsBack]);

  const rewind = async () => {
    setBusy(true);
    try {
      const body = { turnId, conversation: forgets, files: putsBack };
      await client.sessions.rewind(sessionId, body);
      store.refreshSession(sessionId);
      notify({ title: 'The session went back', tone: 'ok' });
      onClose();
    } catch (reason) {
      setProblem(wordsOf(reason));
    } finally {
      setBusy(false);
    }
  };

  const files = preview?.filesChanged ?? [];
  const canGo = preview !== null && (forgets || putsBack) && !isBusy;
  return (
    <Dialog
      title="Go back to before this prompt"
      isOpen
      onOpenChange={(isOpen) => {
        if (!isOpen) onClose();
      }}
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button look="danger" isDisabled={!canGo} onPress={rewind}>
            {isBusy ? 'Going back…' : 'Go back'}
          </Button>
        </>
      }
    >
      <div className={styles.body}>
        <Switch
          isSelected={forgets}
          onChange={setForgets}
          description="The agent forgets this prompt and all that came after it. The log keeps it."
        >
          Conversation
        </Switch>
        <Switch
          isSelected={putsBack}
          onChange={setPutsBack}
          description="Files that the agent changed since become what they were."
        >
          Files
        </Switch>
        {problem !== null && (
          <Banner tone="err" title="It cannot go back like this">
            <p>{problem}</p>
          </Banner>
        )}
        {problem === null && preview === null && (forgets || putsBack) && (
          <Skeleton lines={[70, 40]} />
        )}
        {preview !== null && (
          <div className={styles.preview} role="status">
            <p>
              {preview.turnIds.length === 1
                ? 'One turn is taken back.'
                : `${preview.turnIds.length} turns are taken back.`}
            </p>
            {putsBack && (
              <p>
                {files.length === 0
                  ? 'No file has to change.'
                  : `${files.length} ${files.length === 1 ? 'file changes' : 'files change'}:`}
              </p>
            )}
            <ul className={styles.files}>
              {files.slice(0, MOST_FILES).map((file) => (
                <li key={file}>
                  <Foreign text={file} />
                </li>
              ))}
              {files.length > MOST_FILES && <li>and {files.length - MOST_FILES} more</li>}
            </ul>
          </div>
        )}
      </div>
    </Dialog>
  );
}
