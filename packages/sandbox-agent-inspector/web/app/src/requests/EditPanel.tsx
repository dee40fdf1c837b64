import { useEffect, useRef, useState } from 'react';
import { commandField, editedInput, useRequestCard, withInput } from 'sandbox-agent-react';
import { Button, TextField } from '../ui/index.ts';
import styles from './Actions.module.css';

/** Another input for the tool, for this once: the command line where there is one, else all of it as JSON. */
export function EditPanel({ onClose }: { onClose: () => void }) {
  const { choices, press, request } = useRequestCard();
  const input = request.tool?.input ?? {};
  const name = commandField(input);
  const [text, setText] = useState(() =>
    name ? String(input[name]) : JSON.stringify(input, null, 2),
  );
  const [error, setError] = useState<string | null>(null);
  const field = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);

  const send = () => {
    const edited = editedInput(input, text);
    if (typeof edited === 'string') {
      setError(edited);
      return;
    }
    if (choices.allow) press(withInput(choices.allow, edited));
  };

  return (
    <div className={styles.panel}>
      <TextField
        inputRef={field}
        label={name ? 'Run this instead' : 'Input, as JSON'}
        value={text}
        onChange={(value) => {
          setText(value);
          setError(null);
        }}
        mono
        rows={Math.min(12, Math.max(2, text.split('\n').length))}
        error={error}
        description="For this once. What a rule or the mode denies stays denied."
        onKeyDown={(event) => {
          if (event.key !== 'Escape' || event.nativeEvent.isComposing) return;
          event.stopPropagation();
          onClose();
        }}
      />
      <div className={styles.panelButtons}>
        <Button look="quiet" onPress={onClose}>
          Back
        </Button>
        <Button look="primary" onPress={send}>
          Allow once with this
        </Button>
      </div>
    </div>
  );
}
