/** Keys of the conversation: from item to item, from turn to turn, open, copy the link, show in the timeline. */

import type { RefObject } from 'react';
import type { ConversationRow, ScrollKeeper, VirtualRowsHandle } from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import { linkTo, navigate, paths } from '../shell/navigation.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { useChat } from './context.ts';

interface KeysOptions {
  rows: readonly ConversationRow[];
  list: RefObject<VirtualRowsHandle | null>;
  keeper: ScrollKeeper;
}

/** So much of what was before stays in view above a row that is gone to. */
const CONTEXT_PX = 56;
const GROUP = 'Conversation';

export function useConversationKeys({ rows, list, keeper }: KeysOptions): void {
  const { sessionId } = useChat();
  const current = () => {
    const key =
      document.activeElement?.closest<HTMLElement>('[data-row-key]')?.dataset.rowKey ??
      keeper.firstKey();
    return rows.find((row) => row.key === key) ?? null;
  };
  const go = (key: string | null | undefined) => {
    if (!key) return false;
    if (keeper.isWholeInView(key)) keeper.dispatch({ type: 'left' });
    else list.current?.toRow(key, 'start', CONTEXT_PX);
    list.current?.focusRow(key);
    return true;
  };
  const begins = (key: string) => key.startsWith('prompt:') || key.startsWith('origin:');
  const toItem = (step: 1 | -1) => go(list.current?.neighbour(step));
  const toTurn = (step: 1 | -1) => {
    if (go(list.current?.neighbour(step, begins))) return true;
    if (step === 1) list.current?.toEnd();
    return step === 1;
  };

  const quiet = { group: GROUP, offered: false };
  useShortcut('j', () => toItem(1), { label: 'Next item', ...quiet });
  useShortcut('k', () => toItem(-1), { label: 'Previous item', ...quiet });
  useShortcut(']', () => toTurn(1), { label: 'Next turn', ...quiet });
  useShortcut('[', () => toTurn(-1), { label: 'Previous turn', ...quiet });
  useShortcut('o', () => toggle(current(), keeper), { label: 'Open or close the card', ...quiet });
  useShortcut(
    'y',
    () => {
      const row = current();
      if (!row) return false;
      void copyText(linkTo(pathOf(row, sessionId)), 'Link');
      return true;
    },
    { label: 'Copy link to the item', ...quiet },
  );
  useShortcut(
    'e',
    () => {
      const row = current();
      const seq = row && seqOf(row);
      if (seq === null || seq === undefined) return false;
      navigate(paths.event(sessionId, seq));
      return true;
    },
    { label: 'Show the item in the timeline', ...quiet },
  );
}

function toggle(row: ConversationRow | null, keeper: ScrollKeeper): boolean {
  const opener =
    row &&
    keeper.rowOf(row.key)?.querySelector<HTMLElement>('[aria-expanded]:not([aria-haspopup])');
  if (!opener) return false;
  opener.click();
  return true;
}

function seqOf(row: ConversationRow): number | null {
  if (row.kind === 'quiet') return row.items[0]?.seq ?? null;
  return 'item' in row ? row.item.seq : null;
}

function pathOf(row: ConversationRow, sessionId: string): string {
  const seq = seqOf(row);
  if (seq !== null) return paths.event(sessionId, seq);
  return row.turn.id ? paths.turn(sessionId, row.turn.id) : paths.session(sessionId);
}
