import { useEffect, useRef, useState } from 'react';
import { useRequestCard, withContext } from 'sandbox-agent-react';
import { Button, TextField } from '../ui/index.ts';
import styles from './Actions.module.css';

/** What the model is told besides what came of a tool. */
export function ContextPanel({ onClose }: { onClose: () => void }) {
  const { press } = useRequestCard();
  const [text, setText] = useState('');
  const field = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <div className={styles.panel}>
      <TextField
        inputRef={field}
        label="What the model is told besides"
        value={text}
        onChange={setText}
        rows={3}
      />
      <div className={styles.panelButtons}>
        <Button look="quiet" onPress={onClose}>
          Back
        </Button>
        <Button look="primary" isDisabled={!text.trim()} onPress={() => press(withContext(text))}>
          Tell it
        </Button>
      </div>
    </div>
  );
}
