import { X } from 'lucide-react';
import { useEffect } from 'react';
import { formatBytes, type UploadProgress } from 'sandbox-agent-react';
import { Button, Dialog, Foreign, IconButton } from '../ui/index.ts';
import styles from './UploadStrip.module.css';

interface UploadStripProps {
  progress: UploadProgress;
  onCancel: () => void;
  onDismiss: () => void;
  onDecide: (replace: boolean) => void;
}

const DISMISSED_AFTER_MS = 6000;
const MOST_NAMED = 8;

/** How far an upload is, and what it asks. */
export function UploadStrip({ progress, onCancel, onDismiss, onDecide }: UploadStripProps) {
  const { state, doneBytes, totalBytes, doneFiles, totalFiles } = progress;
  useEffect(() => {
    if (state !== 'done') return;
    const timer = setTimeout(onDismiss, DISMISSED_AFTER_MS);
    return () => clearTimeout(timer);
  }, [state, onDismiss]);
  const share = totalBytes > 0 ? doneBytes / totalBytes : doneFiles / Math.max(1, totalFiles);

  return (
    <>
      <section className={styles.strip} data-state={state} aria-label="Upload">
        <div className={styles.words}>
          <span role={state === 'failed' ? 'alert' : undefined}>{wordsOf(progress)}</span>
          {state === 'running' ? (
            <Button size="small" look="quiet" onPress={onCancel}>
              Cancel
            </Button>
          ) : (
            <IconButton size="small" label="Dismiss" onPress={onDismiss}>
              <X />
            </IconButton>
          )}
        </div>
        {progress.path !== null && <Foreign text={progress.path} className={styles.path} />}
        {progress.problem !== null && <p className={styles.problem}>{progress.problem}</p>}
        {state === 'running' && (
          <progress className={styles.bar} max={1} value={share} aria-label="Upload" />
        )}
      </section>
      <Dialog
        title={progress.existing.length === 1 ? 'Replace this file?' : 'Replace these files?'}
        size="small"
        role="alertdialog"
        isOpen={state === 'asking'}
        onOpenChange={(isOpen) => !isOpen && onDecide(false)}
        footer={
          <>
            <Button autoFocus onPress={() => onDecide(false)}>
              Keep what is there
            </Button>
            <Button look="danger" onPress={() => onDecide(true)}>
              Replace
            </Button>
          </>
        }
      >
        <p>
          {progress.existing.length === 1
            ? 'A file of this name is there already. Replacing it cannot be undone.'
            : `${progress.existing.length} files of these names are there already. Replacing them cannot be undone.`}
        </p>
        <ul className={styles.names}>
          {progress.existing.slice(0, MOST_NAMED).map((path) => (
            <li key={path}>
              <Foreign text={path} />
            </li>
          ))}
          {progress.existing.length > MOST_NAMED && (
            <li>and {progress.existing.length - MOST_NAMED} more</li>
          )}
        </ul>
      </Dialog>
    </>
  );
}

function wordsOf(progress: UploadProgress): string {
  const { state, doneFiles, totalFiles, doneBytes, totalBytes, skipped } = progress;
  const files = totalFiles === 1 ? '1 file' : `${totalFiles} files`;
  switch (state) {
    case 'running':
      return totalFiles === 1
        ? `Uploading ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`
        : `Uploading ${doneFiles + 1} of ${totalFiles}, ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`;
    case 'asking':
      return 'Waiting for your decision';
    case 'done':
      return skipped > 0
        ? `Uploaded ${doneFiles} of ${files}; ${skipped} kept as it was`
        : `Uploaded ${files}`;
    case 'cancelled':
      return `Cancelled after ${doneFiles} of ${files}`;
    case 'failed':
      return `Stopped after ${doneFiles} of ${files}`;
  }
}
