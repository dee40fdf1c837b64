/** "Select graphic rendition": what `CSI … m` makes of a style. */
import { PLAIN, type TerminalColor, type TerminalStyle } from './model.ts';

/** Equal styles are one object, so that spans can be told apart by identity. */
const known = new Map<string, TerminalStyle>();
const MAX_KNOWN = 4096;

export function styled(style: TerminalStyle, parameters: string): TerminalStyle {
  if (/[^\d;:]/.test(parameters)) return style; // a private mode
  const codes = parameters.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)));
  let next = style;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const found = color(codes, at + 1);
      at = found.last;
      if (found.color !== null) next = { ...next, [code === 38 ? 'fg' : 'bg']: found.color };
    } else {
      next = applied(next, code);
    }
  }
  return interned(next);
}

function applied(style: TerminalStyle, code: number): TerminalStyle {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  if (code === 3) return { ...style, italic: true };
  if (code === 4 || code === 21) return { ...style, underline: true };
  if (code === 7) return { ...style, inverse: true };
  if (code === 9) return { ...style, strike: true };
  if (code === 22) return { ...style, bold: false, dim: false };
  if (code === 23) return { ...style, italic: false };
  if (code === 24) return { ...style, underline: false };
  if (code === 27) return { ...style, inverse: false };
  if (code === 29) return { ...style, strike: false };
  if (code === 39) return { ...style, fg: null };
  if (code === 49) return { ...style, bg: null };
  if (code >= 30 && code <= 37) return { ...style, fg: code - 30 };
  if (code >= 40 && code <= 47) return { ...style, bg: code - 40 };
  if (code >= 90 && code <= 97) return { ...style, fg: code - 82 };
  if (code >= 100 && code <= 107) return { ...style, bg: code - 92 };
  return style;
}

/** `5;N` or `2;R;G;B`; the form with colons may have an empty colour space before the red. */
function color(
  codes: readonly number[],
  at: number,
): { color: TerminalColor | null; last: number } {
  const byte = (index: number) => Math.max(0, Math.min(255, codes[index] ?? 0));
  if (codes[at] === 5) return { color: byte(at + 1), last: at + 1 };
  if (codes[at] === 2) {
    return { color: { r: byte(at + 1), g: byte(at + 2), b: byte(at + 3) }, last: at + 3 };
  }
  return { color: null, last: at };
}

function interned(style: TerminalStyle): TerminalStyle {
  const { fg, bg, bold, dim, italic, underline, inverse, strike } = style;
  const flags = [bold, dim, italic, underline, inverse, strike].map(Number).join('');
  const key = `${name(fg)}/${name(bg)}/${flags}`;
  if (key === '-/-/000000') return PLAIN;
  const found = known.get(key);
  if (found) return found;
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(key, style);
  return style;
}

function name(color: TerminalColor | null): string {
  if (color === null) return '-';
  return typeof color === 'number' ? `${color}` : `${color.r},${color.g},${color.b}`;
}
