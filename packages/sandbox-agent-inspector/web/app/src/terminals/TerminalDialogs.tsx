import { foreign } from 'sandbox-agent-react';
import type { PasteGuard } from 'sandbox-agent-react/terminal';
import { Button, ConfirmDialog, Dialog, Foreign } from '../ui/index.ts';
import styles from './TerminalDialogs.module.css';

const SHOWN_CHARS = 4000;

interface PasteDialogProps {
  paste: { guard: PasteGuard; answer(yes: boolean): void } | null;
}

/** Before lines are pasted into a shell that would carry out each of them. */
export function PasteDialog({ paste }: PasteDialogProps) {
  const guard = paste?.guard;
  return (
    <Dialog
      title={guard && guard.lines > 1 ? `Paste ${guard.lines} lines?` : 'Paste this?'}
      role="alertdialog"
      isOpen={paste !== null}
      onOpenChange={(isOpen) => !isOpen && paste?.answer(false)}
      footer={
        <>
          <Button autoFocus onPress={() => paste?.answer(false)}>
            Cancel
          </Button>
          <Button look="primary" onPress={() => paste?.answer(true)}>
            Paste
          </Button>
        </>
      }
    >
      {guard && guard.lines > 1 && (
        <p>A program that takes pastes as keys would carry out each line at once.</p>
      )}
      {guard?.wasCleaned && <p>Control characters were in it; they are left out.</p>}
      <pre className={styles.text}>
        {guard?.text.slice(0, SHOWN_CHARS).split('\n').map(foreign).join('\n')}
        {guard && guard.text.length > SHOWN_CHARS && '\n…'}
      </pre>
    </Dialog>
  );
}

interface LinkDialogProps {
  url: string | null;
  onClose: () => void;
}

/** What a link says and where it leads may be two things, so it is shown where it leads. */
export function LinkDialog({ url, onClose }: LinkDialogProps) {
  const target = url !== null && URL.canParse(url) ? new URL(url) : null;
  const isSafe = target !== null && ['http:', 'https:'].includes(target.protocol);
  return (
    <ConfirmDialog
      title={isSafe ? `Open ${target.host}?` : 'This link is not opened'}
      action={isSafe ? 'Open' : 'Close'}
      isOpen={url !== null}
      onOpenChange={(isOpen) => !isOpen && onClose()}
      onConfirm={() => {
        if (isSafe) window.open(target.href, '_blank', 'noopener,noreferrer');
      }}
    >
      <p className={styles.url}>
        <Foreign text={target?.href ?? url ?? ''} maxChars={600} />
      </p>
      {!isSafe && <p>Only web addresses are opened from a terminal.</p>}
    </ConfirmDialog>
  );
}
