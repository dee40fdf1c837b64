import { useMemo, useState } from 'react';
import { fileDiffOfTexts } from 'sandbox-agent-react';
import { DiffList } from '../diff/DiffList.tsx';
import { Button } from '../ui/index.ts';
import styles from './ConflictView.module.css';

interface ConflictViewProps {
  path: string;
  mine: string;
  /** Null: it was deleted. */
  theirs: string | null;
  onKeepMine: () => Promise<void>;
  onTakeTheirs: () => Promise<void>;
  onBack: () => void;
}

/** A file that two have written: what is on the disk against what is here, and which of them it is to be. */
export function ConflictView({
  path,
  mine,
  theirs,
  onKeepMine,
  onTakeTheirs,
  onBack,
}: ConflictViewProps) {
  const [isBusy, setBusy] = useState(false);
  const files = useMemo(
    () => [fileDiffOfTexts({ path, oldText: theirs ?? '', newText: mine })],
    [path, theirs, mine],
  );
  const run = async (work: () => Promise<void>) => {
    setBusy(true);
    try {
      await work();
    } finally {
      setBusy(false);
    }
  };
  return (
    <section className={styles.conflict} aria-label="Conflict">
      <header className={styles.header}>
        <div>
          <h3 className={styles.title}>
            {theirs === null ? 'Deleted on disk' : 'Changed on disk'}
          </h3>
          <p className={styles.words}>
            {theirs === null
              ? 'Somebody deleted this file since you began. Saving makes it anew.'
              : 'Somebody else wrote this file since you began. Below, − is what is on the disk and + is what you have.'}
          </p>
        </div>
        <div className={styles.actions}>
          <Button size="small" look="quiet" onPress={onBack}>
            Go on editing
          </Button>
          <Button size="small" isDisabled={isBusy} onPress={() => void run(onTakeTheirs)}>
            {theirs === null ? 'Discard mine' : 'Take theirs'}
          </Button>
          <Button
            size="small"
            look="danger"
            isDisabled={isBusy}
            onPress={() => void run(onKeepMine)}
          >
            {theirs === null ? 'Save mine' : 'Overwrite with mine'}
          </Button>
        </div>
      </header>
      <div className={styles.diff}>
        <DiffList files={files} />
      </div>
    </section>
  );
}
