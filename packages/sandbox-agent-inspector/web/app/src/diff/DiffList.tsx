/** The changed files of a turn, or of a work tree. */
import { Columns2, Rows2, Space, WrapText } from 'lucide-react';
import { useMemo, useRef, useState } from 'react';
import { changedLines, type FileDiff } from 'sandbox-agent-react';
import { EmptyState, IconButton } from '../ui/index.ts';
import { Diff, LineCounts } from './Diff.tsx';
import styles from './list.module.css';
import { useWidth } from './useWidth.ts';

interface DiffListProps {
  files: readonly FileDiff[];
  /** For names: what the paths are within. */
  label?: string;
  /** There are more files than these. */
  truncated?: boolean;
}

const SPLIT_PX = 900;
/** A file with more lines waits until somebody opens it. */
const OPEN_LINES = 400;

export function DiffList({ files, label = 'Changes', truncated = false }: DiffListProps) {
  const root = useRef<HTMLElement>(null);
  const width = useWidth(root);
  const [chosenMode, setChosenMode] = useState<'unified' | 'split' | null>(null);
  const [wrap, setWrap] = useState(false);
  const [ignoreWhitespace, setIgnoreWhitespace] = useState(false);
  const [viewed, setViewed] = useState<ReadonlySet<string>>(new Set());
  const [open, setOpen] = useState<ReadonlyMap<string, boolean>>(new Map());
  const mode = chosenMode ?? (width >= SPLIT_PX ? 'split' : 'unified');
  const totals = useMemo(() => sum(files), [files]);
  if (files.length === 0) return <EmptyState title="No changes" />;
  const setFileOpen = (path: string, isOpen: boolean) =>
    setOpen((before) => new Map(before).set(path, isOpen));
  return (
    <section ref={root} className={styles.list} data-diff-list aria-label={label}>
      <div className={styles.bar}>
        <span className={styles.totals}>
          {files.length} {files.length === 1 ? 'file' : 'files'}
          <LineCounts {...totals} />
          {viewed.size > 0 && (
            <span className={styles.viewed}>
              {viewed.size} of {files.length} viewed
            </span>
          )}
        </span>
        <IconButton
          label={mode === 'split' ? 'Show one below the other' : 'Show side by side'}
          size="small"
          onPress={() => setChosenMode(mode === 'split' ? 'unified' : 'split')}
        >
          {mode === 'split' ? <Rows2 /> : <Columns2 />}
        </IconButton>
        <IconButton
          label="Wrap long lines"
          size="small"
          aria-pressed={wrap}
          onPress={() => setWrap(!wrap)}
        >
          <WrapText />
        </IconButton>
        <IconButton
          label="Hide changes of white space"
          size="small"
          aria-pressed={ignoreWhitespace}
          onPress={() => setIgnoreWhitespace(!ignoreWhitespace)}
        >
          <Space />
        </IconButton>
      </div>
      {files.map((file) => {
        const isViewed = viewed.has(file.path);
        const isSmall = changedLines(file) <= OPEN_LINES;
        return (
          <Diff
            key={file.path}
            file={file}
            mode={mode}
            wrap={wrap || mode === 'split'}
            ignoreWhitespace={ignoreWhitespace}
            isOpen={open.get(file.path) ?? (isSmall && !isViewed)}
            onToggle={(isOpen) => setFileOpen(file.path, isOpen)}
            isViewed={isViewed}
            onViewed={(now) => {
              setViewed((before) => {
                const next = new Set(before);
                if (now) next.add(file.path);
                else next.delete(file.path);
                return next;
              });
              setFileOpen(file.path, !now);
            }}
          />
        );
      })}
      {truncated && (
        <p className={styles.truncated}>There are more changes than can be shown here.</p>
      )}
    </section>
  );
}

function sum(files: readonly FileDiff[]): { additions: number; deletions: number } {
  let additions = 0;
  let deletions = 0;
  for (const file of files) {
    additions += file.additions;
    deletions += file.deletions;
  }
  return { additions, deletions };
}
