/**
 * Whether a reader is taken along with what arrives. Decided by what people do, never by where the page happens to be:
 * a position also changes because something was loaded, opened or measured.
 */

export interface FollowState {
  readonly mode: 'following' | 'free';
  /** The reader asked for the end, so that even a long answer is followed to it. */
  readonly asked: boolean;
  /** Rows that came since the reader left the end. */
  readonly unread: number;
}

export type FollowInput =
  /** The session was opened; `restored` at a place that is not its end. */
  | { type: 'opened'; restored: boolean }
  /** The reader sent a prompt. */
  | { type: 'sent' }
  /** The button at the end, or the End key. */
  | { type: 'end asked' }
  /** Wheel or keys up, a touch, a selection, find-in-page, a card opened: the reader looks at something. */
  | { type: 'left' }
  /** The reader came back to the end by the wheel, keys, a touch or the scroll bar. */
  | { type: 'arrived'; distance: number }
  /** The page grew. `replyAbove`: so much of the newest reply is above the end of the view, with its beginning. */
  | { type: 'grew'; replyHeight: number; viewHeight: number }
  /** New rows came, below. */
  | { type: 'rows came'; count: number };

export const FOLLOWING: FollowState = { mode: 'following', asked: false, unread: 0 };
/** So near to the end is at the end. */
export const END_DISTANCE_PX = 32;
const REPLY_SHARE = 2 / 3;

export function follow(
  state: FollowState,
  input: FollowInput,
  options: { always?: boolean } = {},
): FollowState {
  switch (input.type) {
    case 'opened':
      return input.restored ? { mode: 'free', asked: false, unread: 0 } : FOLLOWING;
    case 'sent':
      return FOLLOWING;
    case 'end asked':
      return { mode: 'following', asked: true, unread: 0 };
    case 'left':
      return state.mode === 'free' ? state : { mode: 'free', asked: false, unread: 0 };
    case 'arrived':
      if (input.distance > END_DISTANCE_PX || state.mode === 'following') return state;
      // Who scrolls to the end by hand has seen where the answer begins.
      return { mode: 'following', asked: true, unread: 0 };
    case 'grew': {
      const isFree = state.mode === 'free' || state.asked || options.always;
      if (isFree || input.replyHeight <= input.viewHeight * REPLY_SHARE) return state;
      return { mode: 'free', asked: false, unread: 0 };
    }
    case 'rows came':
      if (state.mode === 'following' || input.count <= 0) return state;
      return { ...state, unread: state.unread + input.count };
  }
}
