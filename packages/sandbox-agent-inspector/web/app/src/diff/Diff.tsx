/** A changed file: its name, what became of it, and its lines. */
import { Check, ChevronRight, Copy } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useCallback, useRef, useState } from 'react';
import {
  changedLines,
  type DiffLine,
  DiffTable,
  type FileDiff,
  formatCount,
  type Mark,
  useDiff,
} from 'sandbox-agent-react';
import type { VirtualizerHandle } from 'virtua';
import { Badge, Button, Foreign } from '../ui/index.ts';
import { CopyButton } from './CopyButton.tsx';
import { renderLine } from './code.tsx';
import styles from './diff.module.css';
import { fileNotes, statusWord } from './notes.ts';
import { useDiffColours } from './useDiffColours.ts';

export interface DiffProps {
  file: FileDiff;
  mode?: 'unified' | 'split';
  /** Long lines wrap, or the lines scroll sideways. */
  wrap?: boolean;
  ignoreWhitespace?: boolean;
  /** What it is called: relative to where one is. Default: its path. */
  name?: string;
  isOpen?: boolean;
  onToggle?: (isOpen: boolean) => void;
  isViewed?: boolean;
  onViewed?: (isViewed: boolean) => void;
  /** Without a header of its own, inside of what names the file already. */
  bare?: boolean;
  actions?: ReactNode;
}

export function Diff({
  file,
  mode = 'unified',
  wrap = true,
  ignoreWhitespace = false,
  name = file.path,
  isOpen: givenOpen,
  onToggle,
  isViewed,
  onViewed,
  bare = false,
  actions,
}: DiffProps) {
  const [ownOpen, setOwnOpen] = useState(true);
  const isOpen = givenOpen ?? ownOpen;
  const toggle = () => (onToggle ?? setOwnOpen)(!isOpen);
  const root = useRef<HTMLElement>(null);
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target instanceof HTMLElement && event.target.closest('input, textarea')) return;
    if (event.key === 'v' && onViewed) onViewed(!isViewed);
    else if (event.key === 'n' || event.key === 'p') {
      if (!focusChange(root.current, event.key === 'n' ? 1 : -1)) return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <section
      ref={root}
      className={styles.file}
      data-diff-file={file.path}
      data-bare={bare || undefined}
      aria-label={`Changes of ${name}`}
      onKeyDown={onKeyDown}
    >
      {!bare && (
        <header className={styles.header}>
          <button
            type="button"
            className={styles.toggle}
            aria-expanded={isOpen}
            onClick={toggle}
            data-diff-header
          >
            <ChevronRight aria-hidden className={styles.chevron} />
            <FileName file={file} name={name} />
            <FileFacts file={file} />
          </button>
          <CopyButton label="Copy path" what="Path" text={file.path}>
            <Copy />
          </CopyButton>
          {onViewed && (
            <Button
              size="small"
              look={isViewed ? 'default' : 'quiet'}
              icon={<Check />}
              aria-label="Viewed"
              aria-pressed={isViewed ?? false}
              onPress={() => onViewed(!isViewed)}
            >
              <span className={styles.viewedWord}>Viewed</span>
            </Button>
          )}
          {actions}
        </header>
      )}
      {isOpen && (
        <DiffBody file={file} mode={mode} wrap={wrap} ignoreWhitespace={ignoreWhitespace} />
      )}
    </section>
  );
}

function DiffBody({
  file,
  mode,
  wrap,
  ignoreWhitespace,
}: Required<Pick<DiffProps, 'file' | 'mode' | 'wrap' | 'ignoreWhitespace'>>) {
  // One side of it would be empty.
  const isOneSided = file.status === 'added' || file.status === 'deleted';
  const shownMode = isOneSided ? 'unified' : mode;
  const diff = useDiff(file, { mode: shownMode, ignoreWhitespace });
  const coloursOf = useDiffColours(diff.file, !diff.isGated);
  const renderCode = useCallback(
    (line: DiffLine, marks: readonly Mark[]) => renderLine(line, marks, coloursOf(line)),
    [coloursOf],
  );
  const handle = useRef<VirtualizerHandle>(null);
  const notes = fileNotes(file, { hasRows: diff.rows.length > 0, isGated: diff.isGated });
  return (
    <>
      {notes.map((note) => (
        <p key={note} className={styles.note}>
          {note}
        </p>
      ))}
      {diff.isGated && (
        <p className={styles.gate}>
          <span>{formatCount(changedLines(file))} lines changed.</span>
          <Button size="small" onPress={diff.openGate}>
            Show them
          </Button>
        </p>
      )}
      {ignoreWhitespace && diff.rows.length === 0 && file.hunks.length > 0 && (
        <p className={styles.note}>Only white space changed.</p>
      )}
      {diff.rows.length > 0 && (
        <DiffTable
          rows={diff.rows}
          openFold={diff.openFold}
          renderCode={renderCode}
          handle={handle}
          className={`${styles.lines} ${wrap ? styles.wraps : styles.scrolls} ${
            shownMode === 'split' ? styles.split : styles.unified
          } ${digits(file)}`}
        />
      )}
    </>
  );
}

export function FileName({ file, name }: { file: FileDiff; name: string }) {
  const slash = name.lastIndexOf('/');
  return (
    <span className={styles.name}>
      {file.oldPath !== null && file.oldPath !== file.path && (
        <>
          <Foreign text={file.oldPath} className={styles.old} />
          <span aria-hidden> → </span>
          <span className="visually-hidden">renamed to</span>
        </>
      )}
      {slash > 0 && <Foreign text={name.slice(0, slash + 1)} className={styles.folder} />}
      <Foreign text={name.slice(slash + 1)} />
    </span>
  );
}

export function FileFacts({ file }: { file: FileDiff }) {
  const word = statusWord(file);
  return (
    <span className={styles.facts}>
      {word && <Badge>{word}</Badge>}
      <LineCounts additions={file.additions} deletions={file.deletions} />
    </span>
  );
}

export function LineCounts({ additions, deletions }: { additions: number; deletions: number }) {
  return (
    <span className={styles.counts}>
      {additions > 0 && (
        <span className={styles.added}>
          +{formatCount(additions)}
          <span className="visually-hidden"> lines added</span>
        </span>
      )}
      {deletions > 0 && (
        <span className={styles.removed}>
          −{formatCount(deletions)}
          <span className="visually-hidden"> lines removed</span>
        </span>
      )}
    </span>
  );
}

/** The next change, also of the next file; false where there is none. */
function focusChange(root: HTMLElement | null, step: 1 | -1): boolean {
  const scope = root?.closest('[data-diff-list]') ?? root;
  if (!scope) return false;
  const stops = [...scope.querySelectorAll<HTMLElement>('[data-change]')];
  if (stops.length === 0) return false;
  const active = document.activeElement;
  const at = active instanceof HTMLElement ? stops.indexOf(active) : -1;
  let next = stops[at + step];
  if (at === -1 && active) {
    const isBehind = (stop: HTMLElement) =>
      active.compareDocumentPosition(stop) & Node.DOCUMENT_POSITION_FOLLOWING;
    next = step === 1 ? stops.find(isBehind) : stops.findLast((stop) => !isBehind(stop));
  }
  if (!next) return false;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: 'center' });
  return true;
}

/** Room for its line numbers. */
function digits(file: FileDiff): string {
  const last = file.hunks.at(-1)?.lines.findLast(({ kind }) => kind !== 'del');
  const known = file.whole ? Math.max(file.whole.old.length, file.whole.new.length) : 0;
  const most = Math.max(known, last?.newNumber ?? 0, last?.oldNumber ?? 0);
  if (file.hunks.every(({ newStart }) => newStart === null)) return styles.unnumbered ?? '';
  return styles[`digits${Math.min(6, Math.max(2, String(most).length))}`] ?? '';
}
