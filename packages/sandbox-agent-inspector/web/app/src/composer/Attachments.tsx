import { File, RotateCcw, X } from 'lucide-react';
import { type Attachment, formatBytes, useComposerContext } from 'sandbox-agent-react';
import { Foreign, IconButton } from '../ui/index.ts';
import styles from './Attachments.module.css';

/** What goes with the prompt. */
export function Attachments() {
  const { attachments, refused, store } = useComposerContext();
  if (attachments.length === 0 && refused.length === 0) return null;
  return (
    <div className={styles.attachments}>
      {attachments.length > 0 && (
        <ul aria-label="Attachments" className={styles.list}>
          {attachments.map((one) => (
            <Item key={one.id} attachment={one} />
          ))}
        </ul>
      )}
      {refused.map(({ name, reason }) => (
        <p key={name} role="alert" className={styles.refused}>
          <Foreign text={name} maxChars={60} />: {reason}
          <IconButton label="Dismiss" size="small" onPress={() => store.dismiss()}>
            <X />
          </IconButton>
        </p>
      ))}
    </div>
  );
}

function Item({ attachment }: { attachment: Attachment }) {
  const { store, sending } = useComposerContext();
  const { id, name, size, state, preview } = attachment;
  return (
    <li className={styles.item} data-state={state.phase}>
      {preview ? (
        <img src={preview} alt="" className={styles.preview} />
      ) : (
        <span className={styles.preview}>
          <File aria-hidden />
        </span>
      )}
      <span className={styles.words}>
        <Foreign text={name} maxChars={32} />
        <small className={styles.fact}>
          {state.phase === 'preparing' && `Uploading ${formatBytes(size)}…`}
          {state.phase === 'ready' && formatBytes(size)}
          {state.phase === 'failed' && <Foreign text={state.reason} maxChars={200} />}
        </small>
        {state.phase === 'preparing' && (
          <progress className={styles.progress} aria-label={`Uploading ${name}`} />
        )}
      </span>
      {state.phase === 'failed' && (
        <IconButton label={`Try ${name} again`} size="small" onPress={() => store.retry(id)}>
          <RotateCcw />
        </IconButton>
      )}
      <IconButton
        label={`Remove ${name}`}
        size="small"
        isDisabled={sending !== null}
        onPress={() => store.detach(id)}
      >
        <X />
      </IconButton>
    </li>
  );
}
