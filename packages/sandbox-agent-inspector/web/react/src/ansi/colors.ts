/** Colours of a terminal that can be read on our surfaces: what a program asks for is moved until it can. */
import type { TerminalColor, TerminalStyle } from './model.ts';

export type Theme = 'dark' | 'light';
export interface SpanColors {
  readonly color: string | null;
  readonly background: string | null;
}

interface Rgb {
  readonly r: number;
  readonly g: number;
  readonly b: number;
}

const MIN_CONTRAST = 4.5;

/** The surface on which text has least contrast, and the text itself. */
const SURFACE: Readonly<Record<Theme, Rgb>> = { dark: rgb(0x1d242d), light: rgb(0xeceff3) };
const TEXT: Readonly<Record<Theme, Rgb>> = { dark: rgb(0xe6eaf0), light: rgb(0x171b21) };

/** The sixteen that have names, in the hues of the theme. */
const NAMED: Readonly<Record<Theme, readonly Rgb[]>> = {
  dark: [
    0x8792a0, 0xff7b72, 0x4cc38a, 0xe3b341, 0x5aa9ff, 0xd2a8ff, 0x56d4dd, 0xe6eaf0, 0xa2adba,
    0xffa198, 0x7ee2b0, 0xf2cc60, 0x8cc4ff, 0xe2c5ff, 0x8ae6ec, 0xffffff,
  ].map(rgb),
  light: [
    0x171b21, 0xb4231a, 0x17733f, 0x7a5200, 0x0b5cc4, 0x7a35c0, 0x0b6b75, 0x4d5866, 0x4d5866,
    0xc02a20, 0x14713c, 0x7d5600, 0x1462c9, 0x8140c4, 0x0f6f79, 0x171b21,
  ].map(rgb),
};

const colors = new Map<string, SpanColors>();
const MAX_KNOWN = 4096;

export function spanColors(style: TerminalStyle, theme: Theme): SpanColors {
  if (style.fg === null && style.bg === null && !style.inverse) return PLAIN_COLORS;
  const key = `${theme}${JSON.stringify([style.fg, style.bg, style.inverse])}`;
  const found = colors.get(key);
  if (found) return found;
  const made = make(style, theme);
  if (colors.size >= MAX_KNOWN) colors.clear();
  colors.set(key, made);
  return made;
}

export function contrast(one: Rgb, other: Rgb): number {
  const [bright, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return ((bright ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

const PLAIN_COLORS: SpanColors = { color: null, background: null };

function make(style: TerminalStyle, theme: Theme): SpanColors {
  let fg = style.fg === null ? null : resolved(style.fg, theme);
  let bg = style.bg === null ? null : resolved(style.bg, theme);
  if (style.inverse) [fg, bg] = [bg ?? SURFACE[theme], fg ?? TEXT[theme]];
  const below = bg ?? SURFACE[theme];
  const above = readable(fg ?? TEXT[theme], below);
  return { color: hex(above), background: bg === null ? null : hex(bg) };
}

function resolved(color: TerminalColor, theme: Theme): Rgb {
  if (typeof color !== 'number') return color;
  const named = NAMED[theme][color];
  if (named) return named;
  if (color >= 232) {
    const grey = 8 + (color - 232) * 10;
    return { r: grey, g: grey, b: grey };
  }
  const index = color - 16;
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40);
  return {
    r: level(Math.floor(index / 36)),
    g: level(Math.floor(index / 6) % 6),
    b: level(index % 6),
  };
}

/** The nearest mixture with black or white that can be read on `below`. */
function readable(color: Rgb, below: Rgb): Rgb {
  if (contrast(color, below) >= MIN_CONTRAST) return color;
  const white = rgb(0xffffff);
  const black = rgb(0);
  const target = contrast(white, below) > contrast(black, below) ? white : black;
  for (let part = 0.1; part < 1; part += 0.1) {
    const mixed = mix(color, target, part);
    if (contrast(mixed, below) >= MIN_CONTRAST) return mixed;
  }
  return target;
}

function mix(one: Rgb, other: Rgb, part: number): Rgb {
  const between = (a: number, b: number) => Math.round(a + (b - a) * part);
  return { r: between(one.r, other.r), g: between(one.g, other.g), b: between(one.b, other.b) };
}

function luminance({ r, g, b }: Rgb): number {
  const linear = (value: number) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

function rgb(value: number): Rgb {
  return { r: (value >> 16) & 255, g: (value >> 8) & 255, b: value & 255 };
}

function hex({ r, g, b }: Rgb): string {
  return `#${((1 << 24) | (r << 16) | (g << 8) | b).toString(16).slice(1)}`;
}
