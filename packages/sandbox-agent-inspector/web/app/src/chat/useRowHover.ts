/** The row that the pointer is on is marked in the timeline, and the other way round. */
import { useCallback, useEffect } from 'react';
import { type ConversationRow, hoverStore, keyOfItem, useIsHovered } from 'sandbox-agent-react';
import { useChat } from './context.ts';

interface Thing {
  key: string | null;
  from: number;
  to: number;
}

const NOTHING: Thing = { key: null, from: -1, to: -2 };

/** What of the log a row is about. */
function thingOf(row: ConversationRow): Thing {
  switch (row.kind) {
    case 'message':
    case 'reasoning':
    case 'tool':
    case 'plan':
    case 'request':
    case 'notice':
      return { key: keyOfItem(row.item, row.turn.id), from: row.item.seq, to: row.item.seq };
    case 'quiet':
      return { key: null, from: row.items[0]?.seq ?? -1, to: row.items.at(-1)?.seq ?? -2 };
    default:
      return NOTHING;
  }
}

export function useRowHover(row: ConversationRow) {
  const { sessionId } = useChat();
  const thing = thingOf(row);
  const { key, from, to } = thing;
  const isHovered = useIsHovered(sessionId, thing);
  const leave = useCallback(() => {
    if (hoverStore.get()?.origin === 'chat') hoverStore.set(null);
  }, []);
  useEffect(() => leave, [leave]);
  return {
    'data-hovered': isHovered || undefined,
    onPointerEnter: () => {
      if (from >= 0) hoverStore.set({ sessionId, key, from, to, origin: 'chat' });
    },
    onPointerLeave: leave,
  };
}
