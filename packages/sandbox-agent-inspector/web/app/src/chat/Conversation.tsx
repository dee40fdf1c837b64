/** The rows of a session, and where the reader is in them. */

import { ArrowDown, Diamond } from 'lucide-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { SessionSnapshot } from 'sandbox-agent-client';
import {
  type ConversationRow,
  ScrollKeeper,
  useConversationRows,
  useFollow,
  useSessionStore,
  VirtualRows,
  type VirtualRowsHandle,
} from 'sandbox-agent-react';
import { usePreferences } from '../shell/preferences.ts';
import styles from './Conversation.module.css';
import { useChat } from './context.ts';
import { OutboxRow } from './PromptRow.tsx';
import { RowView, rowLabel } from './RowView.tsx';
import { useAnnouncements } from './useAnnouncements.ts';
import { useConversationKeys } from './useConversationKeys.ts';
import { usePlace } from './usePlace.ts';

const START_MARGIN_PX = 16;

export function Conversation({ snapshot }: { snapshot: SessionSnapshot }) {
  const { sessionId, agent } = useChat();
  const store = useSessionStore(sessionId);
  const allRows = useConversationRows(snapshot.transcript, snapshot.complete);
  // What waits in line is shown above the composer, where it can be changed.
  const queued = snapshot.transcript.queued.length;
  const rows = useMemo(
    () => (queued === 0 ? allRows : allRows.slice(0, -queued)),
    [allRows, queued],
  );
  const list = useRef<VirtualRowsHandle>(null);
  const keeper = useKeeper(rows, snapshot);
  const markedKey = usePlace({ rows, snapshot, list, keeper });
  useConversationKeys({ rows, list, keeper });
  useAnnouncements(snapshot.transcript, agent);

  const isWaiting = snapshot.transcript.pendingRequests.length > 0;
  const lastTurnId = rows.at(-1)?.turn.id;
  const onNearStart = useCallback(() => {
    if (!store.getSnapshot().complete) void store.loadEarlier().catch(() => {});
  }, [store]);
  const labelOf = useCallback(
    (row: ConversationRow, position: number) => rowLabel(row, position, agent),
    [agent],
  );
  const outbox = snapshot.outbox.filter((prompt) => !prompt.steer);

  return (
    <div className={styles.frame}>
      <VirtualRows
        ref={list}
        rows={rows}
        keeper={keeper}
        label={`Conversation with ${agent}`}
        labelOf={labelOf}
        className={styles.scroller}
        startMargin={START_MARGIN_PX}
        markedKey={markedKey}
        onNearStart={onNearStart}
        before={
          <div className={styles.before} aria-hidden={snapshot.complete}>
            {!snapshot.complete && <span className={styles.earlier}>Loading what was before…</span>}
          </div>
        }
        after={outbox.map((prompt) => (
          <div key={prompt.id} className={styles.outbox}>
            <OutboxRow blocks={prompt.content} words={OUTBOX_WORDS[prompt.state]} />
          </div>
        ))}
      >
        {(row, index) => (
          <RowView
            row={row}
            since={row.kind === 'reasoning' ? timeBefore(rows, index) : null}
            isFirst={index === 0}
            isLast={row.turn.id === lastTurnId}
            isWaiting={isWaiting}
          />
        )}
      </VirtualRows>
      <JumpButton rows={rows} isWaiting={isWaiting} keeper={keeper} list={list} />
    </div>
  );
}

const OUTBOX_WORDS = {
  sending: 'sending…',
  waiting: 'will be sent when connected',
  accepted: 'sent',
};

/** When what stands above a row had come: of the prompt its begin. */
function timeBefore(rows: readonly ConversationRow[], index: number): string | null {
  const before = rows[index - 1];
  const turn = rows[index]?.turn;
  if (!before || before.turn.id !== turn?.id) return turn?.startedAt ?? null;
  if (before.kind === 'quiet') return endOf(before.items.at(-1));
  if (before.kind === 'tool') return endOf(before.item);
  if ('item' in before) return before.item.time;
  return before.kind === 'steered' ? before.time : (turn?.startedAt ?? null);
}

function endOf(item: { time: string; endedAt?: string | null } | undefined): string | null {
  return item?.endedAt ?? item?.time ?? null;
}

function useKeeper(rows: readonly ConversationRow[], snapshot: SessionSnapshot): ScrollKeeper {
  const keeper = useMemo(() => new ScrollKeeper(), []);
  const always = usePreferences((preferences) => preferences.alwaysFollow);
  const before = useRef<{ rows: readonly ConversationRow[]; reply: string | null } | null>(null);
  keeper.alwaysFollow = always;

  // An answer that was there when the session was opened has been read, or can be from its end.
  const reply = rows.findLast((row) => row.kind === 'message')?.key ?? null;
  before.current ??= { rows, reply: snapshot.info?.currentTurnId ? null : reply };
  keeper.replyKey = reply === before.current.reply ? null : reply;

  useEffect(() => {
    const last = before.current;
    if (!last || last.rows === rows) return;
    const first = last.rows[0]?.key;
    const prepended = first === undefined ? 0 : rows.findIndex((row) => row.key === first);
    const count = rows.length - last.rows.length - Math.max(0, prepended);
    before.current = { rows, reply: last.reply };
    keeper.dispatch({ type: 'rows came', count });
  }, [rows, keeper]);

  const sent = snapshot.outbox.length;
  const sentBefore = useRef(sent);
  useEffect(() => {
    if (sent > sentBefore.current) {
      keeper.dispatch({ type: 'sent' });
      keeper.settle();
    }
    sentBefore.current = sent;
  }, [sent, keeper]);
  return keeper;
}

interface JumpButtonProps {
  rows: readonly ConversationRow[];
  isWaiting: boolean;
  keeper: ScrollKeeper;
  list: React.RefObject<VirtualRowsHandle | null>;
}

function JumpButton({ rows, isWaiting, keeper, list }: JumpButtonProps) {
  const { isAtEnd, unread } = useFollow(keeper);
  const [isHidden, setHidden] = useState<string | null>(null);
  // Without one that waits all rows would be looked at for it, in every frame.
  const asked = isWaiting
    ? rows.findLast((row) => row.kind === 'request' && !row.item.outcome)
    : undefined;
  const waiting = asked?.key ?? null;
  useEffect(() => {
    if (waiting === null) return;
    // Whether it is in view changes with each scroll, which changes nothing else.
    const check = () => setHidden(keeper.isInView(waiting) ? null : waiting);
    check();
    const timer = setInterval(check, 400);
    return () => clearInterval(timer);
  }, [waiting, keeper]);
  const asks = waiting !== null && isHidden === waiting;
  if (isAtEnd && !asks) return null;
  const words = unread > 0 ? `${unread} new` : 'more';
  return (
    <div className={styles.jump}>
      <button
        type="button"
        data-asks={asks || undefined}
        aria-label={asks ? 'Go to what needs you' : `To the end: ${words}`}
        onClick={() => {
          if (asks) list.current?.toRow(waiting, 'center');
          else list.current?.toEnd();
        }}
      >
        {asks ? <Diamond aria-hidden /> : <ArrowDown aria-hidden />}
        {asks ? 'needs you' : words}
      </button>
    </div>
  );
}
