/** What a key does in the text of a composer. */
export type ComposerKey = 'send' | 'queue' | 'steer' | 'line' | 'older' | 'newer' | 'escape' | null;

export interface PressedKey {
  key: string;
  keyCode?: number;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  isComposing: boolean;
}

/**
 * While an input method composes, keys are its own: Enter takes a suggestion there. `isTouch`: the on-screen keyboard has
 * no Shift+Enter, so Enter makes a line and a button sends.
 */
export function keyOf(
  pressed: PressedKey,
  at: { text: string; isRecalling: boolean; isTouch: boolean },
): ComposerKey {
  if (pressed.isComposing || pressed.keyCode === 229) return null;
  const isPlain = !(pressed.shiftKey || pressed.ctrlKey || pressed.metaKey || pressed.altKey);
  switch (pressed.key) {
    case 'Enter':
      if (pressed.ctrlKey || pressed.metaKey) return pressed.shiftKey ? 'steer' : 'queue';
      if (pressed.shiftKey || pressed.altKey || at.isTouch) return 'line';
      return 'send';
    case 'ArrowUp':
      return isPlain && (at.text === '' || at.isRecalling) ? 'older' : null;
    case 'ArrowDown':
      return isPlain && at.isRecalling ? 'newer' : null;
    case 'Escape':
      return isPlain ? 'escape' : null;
    default:
      return null;
  }
}
