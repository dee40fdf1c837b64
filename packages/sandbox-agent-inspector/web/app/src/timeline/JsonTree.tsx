import { ChevronRight } from 'lucide-react';
import { type KeyboardEvent, useMemo, useRef, useState } from 'react';
import {
  foreign,
  initialView,
  type JsonRow,
  jsonRows,
  STRING_CUT,
  withMore,
  withToggled,
} from 'sandbox-agent-react';
import styles from './JsonTree.module.css';

/** A value of somebody else, folded. Text is text: nothing of it becomes markup, and what cannot be seen is named. */
export function JsonTree({ value, label }: { value: unknown; label: string }) {
  const [view, setView] = useState(() => initialView(value));
  const [wholes, setWholes] = useState<ReadonlySet<string>>(new Set());
  const [current, setCurrent] = useState(0);
  const tree = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => jsonRows(value, view), [value, view]);
  const at = Math.min(current, rows.length - 1);

  const focus = (index: number) => {
    const next = Math.min(Math.max(index, 0), rows.length - 1);
    setCurrent(next);
    const row = tree.current?.children[next];
    if (row instanceof HTMLElement) row.focus();
  };
  const act = (row: JsonRow) => {
    if (row.kind === 'more') setView(withMore(view, row.path));
    else if (row.size > 0 && row.kind !== 'string') setView(withToggled(view, row.path));
    else if (row.kind === 'string' && row.size > STRING_CUT) {
      setWholes(new Set(wholes).add(row.path));
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[at];
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const isFoldable = row.size > 0 && (row.kind === 'object' || row.kind === 'array');
    switch (event.key) {
      case 'ArrowDown':
        focus(at + 1);
        break;
      case 'ArrowUp':
        focus(at - 1);
        break;
      case 'Home':
        focus(0);
        break;
      case 'End':
        focus(rows.length - 1);
        break;
      case 'ArrowRight':
        if (isFoldable && !row.open) act(row);
        else focus(at + 1);
        break;
      case 'ArrowLeft':
        if (isFoldable && row.open) act(row);
        else focus(parentOf(rows, at));
        break;
      case 'Enter':
      case ' ':
        act(row);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div ref={tree} role="tree" aria-label={label} className={styles.tree} onKeyDown={onKeyDown}>
      {rows.map((row, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the tree has the keys of all its rows.
        <div
          key={row.path}
          role="treeitem"
          aria-level={row.depth + 1}
          aria-selected={index === at}
          aria-expanded={row.size > 0 && isFolder(row) ? row.open : undefined}
          tabIndex={index === at ? 0 : -1}
          className={styles.row}
          style={{ paddingLeft: `${8 + Math.min(row.depth, 24) * 14}px` }}
          data-kind={row.kind}
          data-open={row.open || undefined}
          onClick={() => {
            setCurrent(index);
            act(row);
          }}
          onFocus={() => setCurrent(index)}
        >
          {isFolder(row) && row.size > 0 ? <ChevronRight aria-hidden /> : <i />}
          <Content row={row} isWhole={wholes.has(row.path)} />
        </div>
      ))}
    </div>
  );
}

/** Lines stay lines; everything else that cannot be seen is named. */
function foreignText(text: string): string {
  return text.replace(/[^\n\t]+/g, foreign);
}

const isFolder = (row: JsonRow) => row.kind === 'object' || row.kind === 'array';

function parentOf(rows: readonly JsonRow[], at: number): number {
  const depth = rows[at]?.depth ?? 0;
  for (let index = at - 1; index >= 0; index -= 1) {
    if ((rows[index]?.depth ?? 0) < depth) return index;
  }
  return at;
}

function Content({ row, isWhole }: { row: JsonRow; isWhole: boolean }) {
  if (row.kind === 'more') return <span className={styles.more}>{row.size} more…</span>;
  return (
    <span className={styles.content}>
      {row.name !== null && <bdi className={styles.name}>{foreign(row.name.slice(0, 200))}: </bdi>}
      <Value row={row} isWhole={isWhole} />
    </span>
  );
}

function Value({ row, isWhole }: { row: JsonRow; isWhole: boolean }) {
  switch (row.kind) {
    case 'array':
    case 'object': {
      const [open, close] = row.kind === 'array' ? '[]' : '{}';
      if (row.size === 0) return <span className={styles.faint}>{`${open}${close}`}</span>;
      return (
        <span className={styles.faint}>
          {row.open ? open : `${open}…${close}`} {row.size}
        </span>
      );
    }
    case 'string': {
      const text = String(row.value);
      const isCut = text.length > STRING_CUT && !isWhole;
      return (
        <>
          <bdi className={styles.string}>
            {foreignText(isCut ? text.slice(0, STRING_CUT) : text)}
          </bdi>
          {isCut && (
            <span className={styles.more}> … show all {text.length.toLocaleString('en')}</span>
          )}
        </>
      );
    }
    default:
      return <span className={styles[row.kind]}>{String(row.value)}</span>;
  }
}
