import { memo } from 'react';
import {
  type Axis,
  type AxisWindow,
  durationLabel,
  positionOf,
  type TimelineRow,
  useIsHovered,
} from 'sandbox-agent-react';
import { Foreign } from '../ui/index.ts';
import { FamilyIcon } from './FamilyIcon.tsx';
import styles from './Row.module.css';

interface RowProps {
  sessionId: string;
  id: string;
  row: TimelineRow;
  index: number;
  total: number;
  height: number;
  isSelected: boolean;
  isMarked: boolean;
  axis: Axis;
  window: AxisWindow;
  now: number;
}

const STATES: Record<TimelineRow['state'], string> = {
  none: '',
  running: 'running',
  waiting: 'needs an answer',
  ok: '',
  failed: 'failed',
};

/** One line: what, how long, and when on the axis of all. */
export const Row = memo(function Row(props: RowProps) {
  const { row, index, height } = props;
  const first = row.seqs[0] ?? 0;
  const isHovered = useIsHovered(props.sessionId, {
    key: row.key,
    from: first,
    to: row.seqs.at(-1) ?? first,
  });
  const took = (row.open ? Math.max(props.now, row.end) : row.end) - row.start;
  return (
    <div
      id={props.id}
      role="option"
      aria-selected={props.isSelected}
      aria-setsize={props.total}
      aria-posinset={index + 1}
      className={styles.row}
      style={{ transform: `translateY(${index * height}px)`, height }}
      data-index={index}
      data-seq={first}
      data-family={row.family}
      data-turn={row.key.startsWith('turn:') || undefined}
      data-state={row.state}
      data-band={row.band % 2}
      data-hovered={isHovered || undefined}
      data-marked={props.isMarked || undefined}
      tabIndex={-1}
    >
      <span className={styles.seq}>{first}</span>
      <FamilyIcon family={row.family} state={row.state} />
      <span className={styles.type}>
        {row.key.startsWith('event:') ? row.types[0] : row.family}
      </span>
      <span className={styles.words}>
        {row.title && <Foreign text={row.title} maxChars={200} className={styles.title} />}
        {row.detail ? (
          <Foreign text={row.detail} maxChars={120} className={styles.detail} />
        ) : (
          STATES[row.state] && <span className={styles.detail}>{STATES[row.state]}</span>
        )}
      </span>
      <span className={styles.took}>
        {row.seqs.length > 1 || row.open ? durationLabel(Math.max(took, 0)) : ''}
      </span>
      <Lane {...props} />
    </div>
  );
});

function Lane({ row, axis, window, now }: Pick<RowProps, 'row' | 'axis' | 'window' | 'now'>) {
  const place = (time: number) => (positionOf(axis, time) - window.from) / window.width;
  const from = place(row.start);
  const to = place(row.open ? Math.max(now, row.end) : row.end);
  const isInstant = row.seqs.length === 1 && !row.open;
  if (to < 0 || from > 1) {
    return (
      <span className={styles.lane} aria-hidden>
        <span className={styles.beyond}>{to < 0 ? '‹' : '›'}</span>
      </span>
    );
  }
  const left = Math.max(from, 0);
  return (
    <span className={styles.lane} aria-hidden>
      <span
        className={isInstant ? styles.point : styles.bar}
        style={{ left: `${left * 100}%`, width: `${(Math.min(to, 1) - left) * 100}%` }}
      />
    </span>
  );
}
