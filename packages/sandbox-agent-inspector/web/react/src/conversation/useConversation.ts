import { useMemo, useSyncExternalStore } from 'react';
import type { Transcript } from 'sandbox-agent-client';
import type { GroupItems } from './items.ts';
import type { FollowView, ScrollKeeper } from './keeper.ts';
import { type ConversationRow, RowModel } from './rows.ts';

/** The rows of a transcript; those of turns that did not change keep their identity. */
export function useConversationRows(
  transcript: Transcript,
  complete: boolean,
  group?: GroupItems,
): readonly ConversationRow[] {
  const model = useMemo(() => new RowModel(group), [group]);
  return model.rows(transcript, complete);
}

/** Whether the reader is taken along, and how much came meanwhile. */
export function useFollow(keeper: ScrollKeeper): FollowView {
  return useSyncExternalStore(keeper.subscribe, keeper.getSnapshot, keeper.getSnapshot);
}
