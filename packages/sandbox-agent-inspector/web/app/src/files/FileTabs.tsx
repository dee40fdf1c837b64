import { baseName, foreign, pathBelow, useClient, useFileDocument } from 'sandbox-agent-react';
import { ClosableTab, ClosableTabs, Foreign } from '../ui/index.ts';
import { documentOf } from './documents.ts';
import { FileIcon } from './FileIcon.tsx';
import styles from './FileTabs.module.css';

interface FileTabsProps {
  root: string;
  tabs: readonly string[];
  active: string;
  onSelect: (path: string) => void;
  onClose: (path: string) => void;
}

/** The files that are open. */
export function FileTabs({ root, tabs, active, onSelect, onClose }: FileTabsProps) {
  return (
    <ClosableTabs
      label="Open files"
      ids={tabs}
      selected={active}
      onSelect={onSelect}
      onClose={onClose}
    >
      {tabs.map((path) => (
        <FileTab key={path} root={root} path={path} />
      ))}
    </ClosableTabs>
  );
}

function FileTab({ root, path }: { root: string; path: string }) {
  const client = useClient();
  const file = useFileDocument(documentOf(client, path));
  const name = baseName(path);
  return (
    <ClosableTab
      id={path}
      name={foreign(name) + (file.isDirty ? ', not saved' : '')}
      title={foreign(pathBelow(path, root)).slice(0, 400)}
    >
      <FileIcon path={path} className={styles.icon} />
      <Foreign text={name} maxChars={32} />
      {file.isDirty && (
        <span aria-hidden className={styles.unsaved}>
          ●
        </span>
      )}
    </ClosableTab>
  );
}
