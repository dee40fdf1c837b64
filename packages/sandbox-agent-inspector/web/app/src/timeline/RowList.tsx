import { ArrowDown } from 'lucide-react';
import { type KeyboardEvent, type PointerEvent, useEffect, useId } from 'react';
import {
  type Axis,
  type AxisWindow,
  type FixedRows,
  hoverStore,
  type TimelineRow,
} from 'sandbox-agent-react';
import { Button } from '../ui/index.ts';
import { Row } from './Row.tsx';
import styles from './Timeline.module.css';

interface RowListProps {
  sessionId: string;
  rows: readonly TimelineRow[];
  list: FixedRows;
  rowHeight: number;
  selectedKey: string | null;
  markedKey: string | null;
  axis: Axis;
  window: AxisWindow;
  now: number;
  onSelect: (index: number) => void;
  onFollow: () => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

/** The rows in view, in a list box that is one stop for the keyboard. */
export function RowList(props: RowListProps) {
  const { sessionId, rows, list, rowHeight, selectedKey } = props;
  const id = useId();
  const shown = rows.slice(list.from, list.to);
  const at = shown.findIndex((row) => row.key === selectedKey);

  const indexAt = (event: PointerEvent | React.MouseEvent): number => {
    const row = event.target instanceof Element ? event.target.closest('[data-index]') : null;
    return row instanceof HTMLElement ? Number(row.dataset.index) : -1;
  };
  const hover = (index: number) => {
    const row = rows[index];
    const old = hoverStore.get();
    if (!row) return old?.origin === 'timeline' && hoverStore.set(null);
    const next = highlightOf(sessionId, row);
    if (old?.key !== next.key || old.from !== next.from) hoverStore.set(next);
  };
  useEffect(() => () => void (hoverStore.get()?.origin === 'timeline' && hoverStore.set(null)), []);

  return (
    <div className={styles.listFrame}>
      <div
        ref={list.ref}
        role="listbox"
        aria-label="Events"
        aria-activedescendant={at >= 0 ? `${id}-${list.from + at}` : undefined}
        tabIndex={0}
        className={styles.list}
        onKeyDown={props.onKeyDown}
        onClick={(event) => props.onSelect(indexAt(event))}
        onPointerMove={(event) => hover(indexAt(event))}
        onPointerLeave={() => hover(-1)}
      >
        <div style={{ height: list.height }} className={styles.space} role="presentation">
          {shown.map((row, offset) => (
            <Row
              key={row.key}
              id={`${id}-${list.from + offset}`}
              sessionId={sessionId}
              row={row}
              index={list.from + offset}
              total={rows.length}
              height={rowHeight}
              isSelected={row.key === selectedKey}
              isMarked={row.key === props.markedKey}
              axis={props.axis}
              window={props.window}
              now={row.open ? props.now : 0}
            />
          ))}
        </div>
      </div>
      {!list.following && list.lastVisible < rows.length - 1 && (
        <Button
          size="small"
          className={styles.toEnd}
          icon={<ArrowDown />}
          onPress={props.onFollow}
          shortcut="End"
        >
          Follow
        </Button>
      )}
    </div>
  );
}

export function highlightOf(sessionId: string, row: TimelineRow) {
  const from = row.seqs[0] ?? 0;
  return {
    sessionId,
    key: row.key.startsWith('message:') || row.key.startsWith('event:') ? null : row.key,
    from,
    to: row.key.startsWith('turn:') ? from : (row.seqs.at(-1) ?? from),
    origin: 'timeline' as const,
  };
}
