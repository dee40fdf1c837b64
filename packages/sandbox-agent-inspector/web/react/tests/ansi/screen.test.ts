import fc from 'fast-check';
import {
  contrast,
  HEAD_CHARS,
  plainLine,
  plainText,
  spanColors,
  TAIL_CHARS,
  TerminalScreen,
  terminalText,
} from 'sandbox-agent-react';
import { describe, expect, it } from 'vitest';

const ESC = '\u001b';
const piece = fc.constantFrom(
  'text',
  'ünï🙂',
  '\n',
  '\r\n',
  '\r',
  '\b',
  '\t',
  `${ESC}[31m`,
  `${ESC}[0m`,
  `${ESC}[38;5;200m`,
  `${ESC}[48;2;1;2;3m`,
  `${ESC}[K`,
  `${ESC}[2K`,
  `${ESC}[1A`,
  `${ESC}[3G`,
  `${ESC}[J`,
  `${ESC}]0;title\u0007`,
  `${ESC}]8;;http://x${ESC}\\`,
  `${ESC}Pdata${ESC}\\`,
  `${ESC}[?25l`,
  `${ESC}(B`,
  '\u009b32m',
);

describe('output of a terminal', () => {
  it('is the same however it is cut', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.nat(200)), (pieces, cuts) => {
        const text = pieces.join('');
        const screen = new TerminalScreen();
        let at = 0;
        for (const cut of [...cuts].sort((a, b) => a - b)) {
          if (cut <= at || cut >= text.length) continue;
          screen.feed(text.slice(at, cut));
          screen.read();
          at = cut;
        }
        screen.feed(text.slice(at));
        expect(screen.read()).toEqual(terminalText(text));
      }),
      { numRuns: 500 },
    );
  });

  it('shows progress on one line', () => {
    expect(plainText('10%\r50%\r100%\ndone')).toBe('100%\ndone');
    expect(plainText(`12345\r${ESC}[Kok\n`)).toBe('ok');
    expect(plainText('abc\b\bX')).toBe('aXc');
  });

  it('writes progress of several lines over itself', () => {
    const text = `a 1%\nb 1%\n${ESC}[2A${ESC}[2Ka 9%\n${ESC}[2Kb 9%\n`;
    expect(plainText(text)).toBe('a 9%\nb 9%');
  });

  it('obeys no command for the device, and shows none', () => {
    const text = `${ESC}]52;c;ZXZpbA==\u0007${ESC}]0;title${ESC}\\${ESC}P1$r${ESC}\\shown`;
    expect(plainText(text)).toBe('shown');
  });

  it('passes over a sequence that never ends', () => {
    const screen = new TerminalScreen();
    screen.feed(`${ESC}]0;${'x'.repeat(10_000)}`);
    screen.feed('after\n');
    expect(screen.read().lines.map(plainLine).join()).toContain('after');
  });

  it('keeps the beginning and the end of what is very long, and counts the rest', () => {
    const count = 200_000;
    const text = Array.from({ length: count }, (_, at) => `line ${at}\n`).join('');
    for (const size of [50_000, text.length]) {
      const screen = new TerminalScreen();
      for (let at = 0; at < text.length; at += size) screen.feed(text.slice(at, at + size));
      const { lines, gap, lineCount } = screen.read();
      const kept = lines.map(plainLine);
      expect(kept[0]).toBe('line 0');
      expect(kept.at(-1)).toBe(`line ${count - 1}`);
      expect(kept.join('\n').length).toBeLessThan(HEAD_CHARS + 1.2 * TAIL_CHARS);
      expect(lineCount).toBe(count);
      expect(gap && lines.length + gap.lines).toBe(count);
    }
  });

  it('cuts a line without end', () => {
    const [line] = terminalText('x'.repeat(100_000)).lines;
    expect(line?.map(({ text }) => text).join('').length).toBeLessThan(20_000);
  });
});

describe('colours of a terminal', () => {
  const surfaces = { dark: ['#0e1116', '#1d242d'], light: ['#ffffff', '#eceff3'] } as const;
  const rgb = (hex: string) => ({
    r: Number.parseInt(hex.slice(1, 3), 16),
    g: Number.parseInt(hex.slice(3, 5), 16),
    b: Number.parseInt(hex.slice(5, 7), 16),
  });

  it('can be read in both themes, whatever is asked for', () => {
    const channel = fc.nat(255);
    const color = fc.oneof(fc.nat(255), fc.record({ r: channel, g: channel, b: channel }));
    const maybe = fc.option(color);
    fc.assert(
      fc.property(maybe, maybe, fc.boolean(), (fg, bg, inverse) => {
        const codes = (color: NonNullable<typeof fg>, base: number) =>
          typeof color === 'number'
            ? `${base};5;${color}`
            : `${base};2;${color.r};${color.g};${color.b}`;
        const all = [fg && codes(fg, 38), bg && codes(bg, 48), inverse && '7'].filter(Boolean);
        const [line] = terminalText(`${ESC}[${all.join(';')}mx`).lines;
        const style = line?.[0]?.style;
        if (!style) throw new Error('no span');
        for (const theme of ['dark', 'light'] as const) {
          const { color: above, background } = spanColors(style, theme);
          if (above === null) continue;
          for (const surface of background === null ? surfaces[theme] : [background]) {
            expect(contrast(rgb(above), rgb(surface))).toBeGreaterThanOrEqual(4.5);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('output that is made to freeze a page', () => {
  it('makes no lines by moving', () => {
    expect(terminalText(`a${`${ESC}[100B`.repeat(1000)}b`).lines.map(plainLine)).toEqual(['ab']);
    expect(terminalText(`a\nb\n${ESC}[2A${ESC}[9Ec`).lines.map(plainLine)).toEqual(['a', 'b', 'c']);
  });

  it('is written again and erased at the cost of what is written', () => {
    const text = `${`a${ESC}[2K${ESC}[J`.repeat(50_000)}\r${`${'\t'.repeat(2000)}\n`.repeat(200)}`;
    expect(terminalText(`${text}end`).lines.map(plainLine).at(-1)).toBe('end');
  });

  it('keeps blanks where the cursor has passed', () => {
    expect(terminalText(`a\tb${ESC}[2Cc${ESC}[1Kd`).lines.map(plainLine)).toEqual([
      `${' '.repeat(12)}d`,
    ]);
  });
});
