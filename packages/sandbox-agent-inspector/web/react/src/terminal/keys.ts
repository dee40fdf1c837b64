/** Keys that a phone does not have. */
export type BarKey =
  | 'escape'
  | 'tab'
  | 'control'
  | 'alt'
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'home'
  | 'end'
  | 'pageUp'
  | 'pageDown';

const ARROWS: Partial<Record<BarKey, string>> = {
  up: 'A',
  down: 'B',
  right: 'C',
  left: 'D',
  home: 'H',
  end: 'F',
};

export interface HeldKeys {
  control: boolean;
  alt: boolean;
}

/** What a key types. `isApplication`: the program has asked for arrows of its own kind. */
export function sequenceOf(key: BarKey, held: HeldKeys, isApplication: boolean): string {
  if (key === 'escape') return '\x1b';
  if (key === 'tab') return '\t';
  if (key === 'pageUp') return '\x1b[5~';
  if (key === 'pageDown') return '\x1b[6~';
  const arrow = ARROWS[key];
  if (arrow === undefined) return '';
  const modifier = 1 + (held.alt ? 2 : 0) + (held.control ? 4 : 0);
  if (modifier > 1) return `\x1b[1;${modifier}${arrow}`;
  return isApplication ? `\x1bO${arrow}` : `\x1b[${arrow}`;
}

/** What was typed, with the held keys of the bar: Ctrl and `c` are `\x03`. */
export function withHeld(typed: string, held: HeldKeys): string {
  let text = typed;
  if (held.control && text.length === 1) {
    const code = text.toUpperCase().charCodeAt(0);
    if (code >= 0x40 && code <= 0x5f) text = String.fromCharCode(code & 0x1f);
    else if (text === ' ') text = '\0';
    else if (text === '?') text = '\x7f';
  }
  return held.alt ? `\x1b${text}` : text;
}
