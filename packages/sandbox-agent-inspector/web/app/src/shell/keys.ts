/** How keys are written (`Ctrl+K`, `Alt+Y`, `g i`, `?`) and which of them a press is. Pure. */

export interface Press {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

interface Chord {
  ctrl: boolean;
  alt: boolean;
  shift: boolean;
  key: string;
}

const NAMED: Record<string, string> = {
  esc: 'escape',
  up: 'arrowup',
  down: 'arrowdown',
  left: 'arrowleft',
  right: 'arrowright',
  space: ' ',
};

function chordOf(text: string): Chord {
  const parts = text === '+' ? ['+'] : text.split('+');
  const key = (parts.at(-1) ?? '').toLowerCase();
  const modifiers = new Set(parts.slice(0, -1).map((each) => each.toLowerCase()));
  return {
    ctrl: modifiers.has('ctrl'),
    alt: modifiers.has('alt'),
    shift: modifiers.has('shift'),
    key: NAMED[key] ?? key,
  };
}

/** The presses, one after the other, that a text stands for. */
export function chords(keys: string): string[] {
  return keys.split(' ').filter((each) => each !== '');
}

/**
 * Whether a press is a chord. Ctrl is also ⌘. With Alt a Mac writes another sign, so letters are found by their place
 * on the keyboard then; signs such as `?` carry their own Shift.
 */
export function isChord(text: string, press: Press, mac: boolean): boolean {
  const chord = chordOf(text);
  const ctrl = mac ? press.metaKey || press.ctrlKey : press.ctrlKey;
  if (chord.ctrl !== ctrl || chord.alt !== press.altKey || (!mac && press.metaKey)) {
    return false;
  }
  const letter = /^[a-z]$/.test(chord.key);
  const wantsShift = chord.shift;
  if ((letter || chord.key.length > 1) && wantsShift !== press.shiftKey) {
    return false;
  }
  if (chord.alt && letter) {
    return press.code === `Key${chord.key.toUpperCase()}`;
  }
  return press.key.toLowerCase() === chord.key;
}

/** A key that types something: it must not be taken from a field, and people can switch it off. */
export function isSingle(keys: string): boolean {
  return chords(keys).every((each) => {
    const chord = chordOf(each);
    return !chord.ctrl && !chord.alt && chord.key.length === 1;
  });
}

/** As the kit's `<Kbd>` takes it: `Ctrl K`, `g i`. */
export function shownKeys(keys: string): string {
  return keys.split('+').join(keys === '+' ? '+' : ' ');
}

export function isMac(): boolean {
  return typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.userAgent);
}

const BUTTON_TYPES = new Set(
  'button checkbox color file image radio range reset submit'.split(' '),
);

/** Whether what has the focus takes letters. */
export function takesText(element: Element | null): boolean {
  if (!(element instanceof HTMLElement)) {
    return false;
  }
  if (element instanceof HTMLInputElement) {
    return !BUTTON_TYPES.has(element.type);
  }
  const role = element.getAttribute('role');
  return (
    element instanceof HTMLTextAreaElement ||
    element instanceof HTMLSelectElement ||
    element.isContentEditable ||
    role === 'textbox' ||
    role === 'combobox' ||
    role === 'menu' ||
    role === 'menuitem'
  );
}
