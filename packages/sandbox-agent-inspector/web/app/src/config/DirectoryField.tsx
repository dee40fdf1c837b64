import { FolderOpen } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useSessions } from 'sandbox-agent-react';
import { Button, Menu, TextField } from '../ui/index.ts';
import styles from './DirectoryField.module.css';

const MOST_OFFERED = 12;

interface DirectoryFieldProps {
  directory: string;
  onChoose: (path: string) => void;
}

/** A directory, typed or one in which there are sessions. */
export function DirectoryField({ directory, onChoose }: DirectoryFieldProps) {
  const sessions = useSessions();
  const [text, setText] = useState(directory);
  useEffect(() => setText(directory), [directory]);
  const known = [...new Set(sessions.flatMap((one) => (one.cwd ? [one.cwd] : [])))].slice(
    0,
    MOST_OFFERED,
  );
  const submit = () => {
    const path = text.trim();
    if (path !== '' && path !== directory) onChoose(path);
  };
  return (
    <div className={styles.field}>
      <TextField
        label="Directory"
        value={text}
        onChange={setText}
        mono
        autoComplete="off"
        className={styles.text}
        onBlur={submit}
        onKeyDown={(event) => {
          if (event.key === 'Enter') submit();
        }}
      />
      {known.length > 0 && (
        <Menu
          label="Directories of sessions"
          placement="bottom end"
          trigger={<Button icon={<FolderOpen aria-hidden />}>Of a session</Button>}
          entries={known.map((path) => ({ id: path, label: path }))}
          onAction={onChoose}
        />
      )}
    </div>
  );
}
