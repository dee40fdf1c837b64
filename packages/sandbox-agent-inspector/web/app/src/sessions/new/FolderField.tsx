/** The folder that the agent works in: written, taken from before, or found in the tree. */
import { ChevronUp, Folder, FolderPlus } from 'lucide-react';
import { useCallback, useEffect, useState } from 'react';
import type { FileEntry } from 'sandbox-agent-client';
import { foreign, useClient } from 'sandbox-agent-react';
import { Button, Foreign, IconButton, Skeleton, TextField } from '../../ui/index.ts';
import styles from './FolderField.module.css';

interface FolderFieldProps {
  value: string;
  recent: readonly string[];
  problem: string | undefined;
  onChange(path: string): void;
}

export function FolderField({ value, recent, problem, onChange }: FolderFieldProps) {
  const [browses, setBrowses] = useState(false);
  const others = recent.filter((each) => each !== value).slice(0, 4);
  return (
    <div className={styles.folder}>
      <div className={styles.line}>
        <TextField
          className={styles.field ?? ''}
          label="Folder"
          placeholder="The server's own folder"
          value={value}
          onChange={onChange}
          error={problem ?? null}
          mono
        />
        <Button
          className={styles.browse ?? ''}
          onPress={() => setBrowses(!browses)}
          aria-expanded={browses}
        >
          Browse
        </Button>
      </div>
      {browses ? (
        <FolderBrowser start={value} onChoose={onChange} onClose={() => setBrowses(false)} />
      ) : others.length > 0 ? (
        <div className={styles.recent}>
          {others.map((path) => (
            <button key={path} type="button" onClick={() => onChange(path)}>
              <Foreign text={path} maxChars={36} />
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}

interface FolderBrowserProps {
  start: string;
  onChoose(path: string): void;
  onClose(): void;
}

function parentOf(path: string): string {
  return path.replace(/\/+[^/]*\/*$/, '') || '/';
}

function FolderBrowser({ start, onChoose, onClose }: FolderBrowserProps) {
  const client = useClient();
  const [path, setPath] = useState<string | null>(null);
  const [folders, setFolders] = useState<readonly FileEntry[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [newName, setNewName] = useState<string | null>(null);

  const open = useCallback(
    async (target: string) => {
      setProblem(null);
      setFolders(null);
      try {
        const { path: whole } = await client.files.stat(target);
        const entries = await client.files.list(whole);
        setPath(whole);
        setFolders(entries.filter((each) => each.entryType === 'directory'));
        return whole;
      } catch (error) {
        setProblem(error instanceof Error ? error.message : String(error));
        return null;
      }
    },
    [client],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: where it begins, and not what is written later
  useEffect(() => {
    void (async () => {
      if ((await open(start || '.')) === null && start) {
        await open('.');
      }
    })();
  }, [open]);

  const go = async (target: string) => {
    const whole = await open(target);
    if (whole !== null) {
      onChoose(whole);
    }
  };
  const make = async () => {
    const name = newName?.trim();
    if (!name || path === null) {
      return;
    }
    try {
      const target = `${path === '/' ? '' : path}/${name}`;
      await client.files.mkdir(target);
      setNewName(null);
      await go(target);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };

  return (
    <section className={styles.browser} aria-label="Folders on the server">
      <header className={styles.header}>
        <IconButton
          label="Folder above"
          size="small"
          isDisabled={path === null || path === '/'}
          onPress={() => path !== null && void go(parentOf(path))}
        >
          <ChevronUp size={16} />
        </IconButton>
        <span className={styles.path}>
          <Foreign text={path ?? '…'} maxChars={64} />
        </span>
        <IconButton label="New folder" size="small" onPress={() => setNewName('')}>
          <FolderPlus size={16} />
        </IconButton>
        <Button size="small" onPress={onClose}>
          Done
        </Button>
      </header>
      {newName === null ? null : (
        <div className={styles.line}>
          <TextField
            className={styles.field ?? ''}
            label="Name of the new folder"
            hideLabel
            placeholder="Name of the new folder"
            value={newName}
            onChange={setNewName}
            autoFocus
            mono
            onKeyDown={(event) => {
              if (event.key === 'Enter') {
                event.preventDefault();
                void make();
              } else if (event.key === 'Escape') {
                event.stopPropagation();
                setNewName(null);
              }
            }}
          />
          <Button onPress={make}>Create</Button>
        </div>
      )}
      {problem ? (
        <p className={styles.problem} role="alert">
          {foreign(problem)}
        </p>
      ) : null}
      {folders === null && !problem ? <Skeleton lines={[40, 55, 35]} /> : null}
      <ul className={styles.list}>
        {folders?.map((folder) => (
          <li key={folder.path}>
            <button
              type="button"
              onClick={() => void go(folder.path)}
              data-hidden={folder.name.startsWith('.') || undefined}
            >
              <Folder size={16} aria-hidden />
              <Foreign text={folder.name} maxChars={60} />
            </button>
          </li>
        ))}
        {folders?.length === 0 ? <li className={styles.empty}>No folders in it</li> : null}
      </ul>
    </section>
  );
}
