import { CaseSensitive, Regex } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { FileMatch } from 'sandbox-agent-client';
import { type LineRange, pathBelow, useClient } from 'sandbox-agent-react';
import { EmptyState, Foreign, IconButton, SearchField, Skeleton } from '../ui/index.ts';
import { FileIcon } from './FileIcon.tsx';
import styles from './FileSearch.module.css';

interface FileSearchProps {
  root: string;
  onOpen: (path: string, lines: LineRange | null) => void;
}

interface Found {
  query: string;
  names: readonly string[];
  matches: readonly FileMatch[];
  isCut: boolean;
  problem: string | null;
}

const AFTER_MS = 200;
const MOST_NAMES = 50;
const MOST_LINES = 500;

/** Files by their names and by what is in them, both at once. */
export function FileSearch({ root, onOpen }: FileSearchProps) {
  const client = useClient();
  const [query, setQuery] = useState('');
  const [isExact, setExact] = useState(false);
  const [isRegex, setRegex] = useState(false);
  const [found, setFound] = useState<Found | null>(null);
  const [isBusy, setBusy] = useState(false);

  useEffect(() => {
    const wanted = query.trim();
    if (wanted === '') {
      setFound(null);
      setBusy(false);
      return;
    }
    const stop = new AbortController();
    setBusy(true);
    const timer = setTimeout(async () => {
      const { signal } = stop;
      const [names, lines] = await Promise.allSettled([
        client.files.find(root, { query: wanted, limit: MOST_NAMES, kind: 'file', signal }),
        client.files.grep(root, {
          pattern: wanted,
          literal: !isRegex,
          ignoreCase: !isExact,
          limit: MOST_LINES,
          signal,
        }),
      ]);
      if (signal.aborted) return;
      setBusy(false);
      setFound({
        query: wanted,
        names: names.status === 'fulfilled' ? names.value.entries.map((one) => one.path) : [],
        matches: lines.status === 'fulfilled' ? lines.value.matches : [],
        isCut: lines.status === 'fulfilled' && Boolean(lines.value.truncated),
        problem:
          lines.status === 'rejected'
            ? lines.reason instanceof Error
              ? lines.reason.message
              : String(lines.reason)
            : null,
      });
    }, AFTER_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [client, root, query, isExact, isRegex]);

  return (
    <div className={styles.search}>
      <div className={styles.bar}>
        <SearchField
          label="Search in files"
          value={query}
          onChange={setQuery}
          placeholder="Name or content"
          autoFocus
          className={styles.field}
        />
        <IconButton label="Match case" aria-pressed={isExact} onPress={() => setExact(!isExact)}>
          <CaseSensitive />
        </IconButton>
        <IconButton
          label="Regular expression"
          aria-pressed={isRegex}
          onPress={() => setRegex(!isRegex)}
        >
          <Regex />
        </IconButton>
      </div>
      <div className={styles.results} aria-busy={isBusy}>
        {found === null ? (
          isBusy ? (
            <div className={styles.loading}>
              <Skeleton lines={[50, 84, 76, 45, 80]} />
            </div>
          ) : (
            <EmptyState title="Find a file, or a line in one">
              <p>What a .gitignore names is left out.</p>
            </EmptyState>
          )
        ) : (
          <Results root={root} found={found} onOpen={onOpen} />
        )}
      </div>
    </div>
  );
}

function Results({
  root,
  found,
  onOpen,
}: {
  root: string;
  found: Found;
  onOpen: FileSearchProps['onOpen'];
}) {
  const groups = new Map<string, FileMatch[]>();
  for (const match of found.matches) {
    const group = groups.get(match.path);
    if (group) group.push(match);
    else groups.set(match.path, [match]);
  }
  if (found.names.length === 0 && groups.size === 0)
    return (
      <EmptyState title={found.problem ? 'This cannot be searched for' : 'Nothing found'}>
        {found.problem ? (
          <p>{found.problem}</p>
        ) : (
          <p>
            No file has “<Foreign text={found.query} maxChars={60} />” in its name or its text.
          </p>
        )}
      </EmptyState>
    );
  return (
    <>
      {found.names.length > 0 && (
        <section aria-label="By name">
          <h3 className={styles.heading}>By name · {found.names.length}</h3>
          {found.names.map((path) => (
            <button
              key={path}
              type="button"
              className={styles.file}
              onClick={() => onOpen(path, null)}
            >
              <FileIcon path={path} className={styles.icon} />
              <Foreign text={pathBelow(path, root)} maxChars={120} className={styles.name} />
            </button>
          ))}
        </section>
      )}
      {found.problem && <p className={styles.problem}>{found.problem}</p>}
      {groups.size > 0 && (
        <section aria-label="By content">
          <h3 className={styles.heading}>
            By content · {found.matches.length}
            {found.isCut && '+'} {found.matches.length === 1 ? 'line' : 'lines'} in {groups.size}{' '}
            {groups.size === 1 ? 'file' : 'files'}
          </h3>
          {[...groups].map(([path, matches]) => (
            <div key={path} className={styles.group}>
              <button type="button" className={styles.file} onClick={() => onOpen(path, null)}>
                <FileIcon path={path} className={styles.icon} />
                <Foreign text={pathBelow(path, root)} maxChars={120} className={styles.name} />
                <span className={styles.count}>{matches.length}</span>
              </button>
              {matches.map((match) => (
                <button
                  key={`${match.line}:${match.column}`}
                  type="button"
                  className={styles.line}
                  onClick={() => onOpen(path, { from: match.line, to: match.line })}
                >
                  <span className={styles.number}>{match.line}</span>
                  <span className={styles.text}>
                    <Marked match={match} />
                  </span>
                </button>
              ))}
            </div>
          ))}
        </section>
      )}
      {found.isCut && (
        <p className={styles.problem}>There is more: search for something narrower.</p>
      )}
    </>
  );
}

/** Letters before a match that are shown; a match far to the right would not be in view. */
const BEFORE = 40;

function Marked({ match }: { match: FileMatch }) {
  // The ranges count code points, as Python does.
  const letters = Array.from(match.text);
  const ranges = (match.ranges ?? []).filter(([from, to]) => from < to);
  const start = Math.max(0, (ranges[0]?.[0] ?? 0) - BEFORE);
  const parts: React.ReactNode[] = start > 0 ? ['…'] : [];
  let at = start;
  for (const [from, to] of ranges.slice(0, 20)) {
    parts.push(<Foreign key={`t${at}`} text={letters.slice(at, from).join('')} maxChars={400} />);
    parts.push(
      <mark key={`m${from}`} className={styles.match}>
        <Foreign text={letters.slice(from, to).join('')} maxChars={200} />
      </mark>,
    );
    at = to;
  }
  parts.push(<Foreign key="end" text={letters.slice(at).join('')} maxChars={400} />);
  return parts;
}
