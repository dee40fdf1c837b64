/** A row of the conversation, by its kind. */

import { memo } from 'react';
import { type ConversationRow, foreign } from 'sandbox-agent-react';
import { RequestCard } from '../requests/RequestCard.tsx';
import { useChat } from './context.ts';
import { clockTime } from './format.ts';
import { MessageRow, ReasoningRow } from './MessageRow.tsx';
import { NoticeRow } from './NoticeRow.tsx';
import { PromptRow, QueuedRow, SteeredRow } from './PromptRow.tsx';
import styles from './rows.module.css';
import { ErrorRow, SummaryRow, WorkingRow } from './TurnEnd.tsx';
import { PlanCard, QuietRow, ToolCall } from './tools/index.ts';
import { useRowHover } from './useRowHover.ts';

interface RowViewProps {
  row: ConversationRow;
  /** When what is above it had come. */
  since: string | null;
  isFirst: boolean;
  /** The turn is the last one. */
  isLast: boolean;
  isWaiting: boolean;
}

export const RowView = memo(function RowView(props: RowViewProps) {
  return (
    <div
      className={`${styles.row} ${props.row.turn.rewound ? styles.rewound : ''}`}
      data-kind={props.row.kind}
      data-first={props.isFirst || undefined}
      {...useRowHover(props.row)}
    >
      <Content {...props} />
    </div>
  );
});

function Content({ row, since, isLast, isWaiting }: RowViewProps) {
  const { sessionId } = useChat();
  switch (row.kind) {
    case 'prompt':
      return <PromptRow turn={row.turn} blocks={row.blocks} />;
    case 'steered':
      return <SteeredRow blocks={row.blocks} time={row.time} />;
    case 'origin':
      return <OriginRow row={row} />;
    case 'message':
      return <MessageRow item={row.item} rowKey={row.key} />;
    case 'reasoning':
      return <ReasoningRow item={row.item} rowKey={row.key} since={since} />;
    case 'tool':
      return <ToolCall item={row.item} turn={row.turn} sessionId={sessionId} />;
    case 'quiet':
      return <QuietRow items={row.items} turn={row.turn} sessionId={sessionId} />;
    case 'plan':
      return <PlanCard item={row.item} />;
    case 'request':
      return <RequestCard sessionId={sessionId} requestId={row.item.requestId} />;
    case 'notice':
      return <NoticeRow item={row.item} rowKey={row.key} />;
    case 'error':
      return <ErrorRow turn={row.turn} isLast={isLast} />;
    case 'working':
      return <WorkingRow turn={row.turn} isWaiting={isWaiting} />;
    case 'summary':
      return <SummaryRow turn={row.turn} number={row.number} />;
    case 'queued':
      return <QueuedRow prompt={row.prompt} position={row.position} />;
  }
}

function OriginRow({ row }: { row: Extract<ConversationRow, { kind: 'origin' }> }) {
  const { agent } = useChat();
  const words = {
    agent: `${agent} went on by itself`,
    compact: 'Compacting the context was asked for',
    review: 'A review was asked for',
  }[row.origin];
  return (
    <p className={styles.divider} data-start="">
      <strong>{words}</strong>
      {row.turn.startedAt && <time>{clockTime(row.turn.startedAt)}</time>}
    </p>
  );
}

/** What a screen reader calls a row. */
export function rowLabel(row: ConversationRow, position: number, agent: string): string {
  const at = (time: string | null | undefined) => (time ? `, ${clockTime(time)}` : '');
  switch (row.kind) {
    case 'prompt':
      return `You${at(row.turn.startedAt)}, message ${position}`;
    case 'steered':
      return `You${at(row.time)}, message ${position}`;
    case 'queued':
      return `You, waiting, message ${position}`;
    case 'message':
      return `${agent}${at(row.item.time)}, message ${position}`;
    case 'reasoning':
      return `${agent}, thought, message ${position}`;
    case 'tool':
      return `${foreign(row.item.title || row.item.name || 'Tool call').slice(0, 120)}, ${row.item.status ?? 'pending'}`;
    case 'quiet':
      return `${row.items.length} quiet tool calls`;
    case 'plan':
      return 'Plan';
    case 'request':
      return row.item.outcome ? 'Answered request' : 'Request, waiting for you';
    case 'notice':
      return 'Notice';
    case 'error':
      return 'Error';
    case 'working':
      return `${agent} works`;
    case 'summary':
      return row.number > 0 ? `End of turn ${row.number}` : 'End of the turn';
    case 'origin':
      return 'Beginning of a turn';
  }
}
