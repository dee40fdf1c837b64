/** Text of a terminal as spans with looks. No cursor, no colours yet: those depend on the theme. */

/** An index into the palette of 256, or what the program asked for. */
export type TerminalColor = number | { readonly r: number; readonly g: number; readonly b: number };

export interface TerminalStyle {
  readonly fg: TerminalColor | null;
  readonly bg: TerminalColor | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly inverse: boolean;
  readonly strike: boolean;
}

export const PLAIN: TerminalStyle = {
  fg: null,
  bg: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
  strike: false,
};

export interface TerminalSpan {
  readonly text: string;
  readonly style: TerminalStyle;
}

export type TerminalLine = readonly TerminalSpan[];
