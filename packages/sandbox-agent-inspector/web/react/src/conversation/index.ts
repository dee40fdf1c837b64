export {
  END_DISTANCE_PX,
  FOLLOWING,
  type FollowInput,
  type FollowState,
  follow,
} from './follow.ts';
export {
  type GroupItems,
  itemKey,
  type PromptBlock,
  promptText,
  type RequestItem,
  type TurnItem,
} from './items.ts';
export { type FollowView, type Place, ScrollKeeper } from './keeper.ts';
export { PlaceMemory } from './places.ts';
export {
  type ConversationRow,
  type RowKind,
  RowModel,
  rowKeyOfSeq,
  rowKeyOfTurn,
  turnKeyOf,
} from './rows.ts';
export { useConversationRows, useFollow } from './useConversation.ts';
export { VirtualRows, type VirtualRowsHandle, type VirtualRowsProps } from './VirtualRows.tsx';
