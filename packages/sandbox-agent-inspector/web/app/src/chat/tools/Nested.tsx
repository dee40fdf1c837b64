/** What a sub-agent does: its calls and words within its card. */
import { useMemo } from 'react';
import type { ToolItem, Turn } from 'sandbox-agent-client';
import { foreign, groupQuiet, type Item, isGroup, liveLine } from 'sandbox-agent-react';
import { QuietRow } from './QuietRow.tsx';
import { ToolCall } from './ToolCall.tsx';
import styles from './tool.module.css';
import { Words } from './Words.tsx';

const MAX_DEPTH = 6;
const SHOWN = 40;

interface NestedProps {
  items: readonly Item[];
  turn: Turn;
  sessionId: string;
  depth: number;
}

export function Nested({ items, turn, sessionId, depth }: NestedProps) {
  const rows = useMemo(() => groupQuiet(items, turn), [items, turn]);
  if (depth >= MAX_DEPTH) {
    return <p className={styles.deep}>Deeper calls are in the timeline.</p>;
  }
  // The end is what happens now.
  const hidden = Math.max(0, rows.length - SHOWN);
  return (
    <div className={styles.nested}>
      {hidden > 0 && <p className={styles.deep}>{hidden} earlier steps are in the timeline.</p>}
      {rows
        .slice(hidden)
        .map((row) =>
          isGroup(row) ? (
            <QuietRow
              key={`quiet-${row[0]?.seq}`}
              items={row}
              turn={turn}
              sessionId={sessionId}
              depth={depth + 1}
            />
          ) : (
            <NestedItem
              key={`${row.type}-${row.seq}`}
              item={row}
              turn={turn}
              sessionId={sessionId}
              depth={depth + 1}
            />
          ),
        )}
    </div>
  );
}

function NestedItem({
  item,
  turn,
  sessionId,
  depth,
}: {
  item: Item;
  turn: Turn;
  sessionId: string;
  depth: number;
}) {
  if (item.type === 'tool') {
    return <ToolCall item={item} turn={turn} sessionId={sessionId} depth={depth} />;
  }
  if (item.type === 'message' || item.type === 'reasoning') {
    if (!item.text?.trim()) return null;
    return (
      <div className={styles.said} data-role={item.type}>
        <Words text={item.text} />
      </div>
    );
  }
  return null;
}

/** "8 calls · Grep exp" */
export function NestedSummary({
  items,
  cwd,
  isLive,
}: {
  items: readonly Item[];
  cwd: string | null;
  isLive: boolean;
}) {
  const calls = items.filter((item): item is ToolItem => item.type === 'tool');
  if (calls.length === 0) return null;
  const last = isLive ? calls.at(-1) : undefined;
  return (
    <span className={styles.nestedSummary}>
      {calls.length} {calls.length === 1 ? 'call' : 'calls'}
      {last && ` · ${foreign(liveLine(last, { cwd })).slice(0, 80)}`}
    </span>
  );
}
