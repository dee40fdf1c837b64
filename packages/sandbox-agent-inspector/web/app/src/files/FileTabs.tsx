import { X } from 'lucide-react';
import type { KeyboardEvent } from 'react';
import { baseName, foreign, pathBelow, useClient, useFileDocument } from 'sandbox-agent-react';
import { Foreign } from '../ui/index.ts';
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

/** The files that are open; Delete closes one, as does the middle button. */
export function FileTabs({ root, tabs, active, onSelect, onClose }: FileTabsProps) {
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const at = tabs.indexOf(active);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = tabs[(at + step + tabs.length) % tabs.length];
      if (next === undefined) return;
      onSelect(next);
      const list = event.currentTarget;
      requestAnimationFrame(() =>
        list.querySelector<HTMLElement>('[role="tab"][aria-selected="true"]')?.focus(),
      );
    } else if (event.key === 'Delete') {
      event.preventDefault();
      onClose(active);
    }
  };
  return (
    <div role="tablist" aria-label="Open files" className={styles.tabs} onKeyDown={onKeyDown}>
      {tabs.map((path) => (
        <FileTab
          key={path}
          root={root}
          path={path}
          isActive={path === active}
          onSelect={() => onSelect(path)}
          onClose={() => onClose(path)}
        />
      ))}
    </div>
  );
}

interface FileTabProps {
  root: string;
  path: string;
  isActive: boolean;
  onSelect: () => void;
  onClose: () => void;
}

function FileTab({ root, path, isActive, onSelect, onClose }: FileTabProps) {
  const client = useClient();
  const file = useFileDocument(documentOf(client, path));
  const name = baseName(path);
  return (
    <div className={styles.tab} data-active={isActive || undefined} role="presentation">
      <button
        type="button"
        role="tab"
        aria-selected={isActive}
        aria-label={foreign(name) + (file.isDirty ? ', not saved' : '')}
        tabIndex={isActive ? 0 : -1}
        className={styles.name}
        title={foreign(pathBelow(path, root)).slice(0, 400)}
        onClick={onSelect}
        onAuxClick={(event) => event.button === 1 && onClose()}
      >
        <FileIcon path={path} className={styles.icon} />
        <Foreign text={name} maxChars={32} />
        {file.isDirty && (
          <span aria-hidden className={styles.unsaved}>
            ●
          </span>
        )}
      </button>
      <span aria-hidden title="Close" className={styles.close} onClick={onClose}>
        <X />
      </span>
    </div>
  );
}
