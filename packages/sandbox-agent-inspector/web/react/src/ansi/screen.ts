/** What a program printed, as the lines that a terminal would show. Fed in pieces, cut wherever they are cut. */
import { PLAIN, type TerminalLine, type TerminalSpan, type TerminalStyle } from './model.ts';
import { styled } from './style.ts';

/** How much of an output is kept: its beginning and its end. What is between is counted, and dropped. */
export const HEAD_CHARS = 64 * 1024;
export const TAIL_CHARS = 256 * 1024;

/** So much more may gather before the beginning of the end is let go: not line by line. */
const TRIM_CHARS = 32 * 1024;
/** Of a longer piece the middle is counted, not read: it would be dropped anyway. */
const MAX_READ_CHARS = 2 * (HEAD_CHARS + TAIL_CHARS);

/** A line without end is no line: it would freeze the page. */
export const MAX_LINE_CHARS = 16 * 1024;
const MAX_SEQUENCE_CHARS = 4096;
/** As many lines from the end can still be written to. */
const LIVE_ROWS = 100;
const TAB = 8;

interface Cell {
  readonly char: string;
  readonly style: TerminalStyle;
}

const BLANK: Cell = { char: ' ', style: PLAIN };

interface Row {
  /** Undefined: blank. Behind `length` all are, so that what is erased and written again costs what is written. */
  cells: (Cell | undefined)[];
  length: number;
  chars: number;
  spans: TerminalLine | null;
  /** Cells that did not fit. */
  cut: number;
}

export interface TerminalText {
  readonly lines: readonly TerminalLine[];
  /** Where lines are missing: behind the `at`th. */
  readonly gap: { readonly at: number; readonly lines: number; readonly chars: number } | null;
  /** With those of the gap. */
  readonly lineCount: number;
}

export class TerminalScreen {
  #head: Row[] = [];
  #tail: Row[] = [];
  #headChars = 0;
  #tailChars = 0;
  #isHeadFull = false;
  #dropped = { lines: 0, chars: 0 };
  #row: Row;
  #column = 0;
  #style: TerminalStyle = PLAIN;
  /** The beginning of an escape sequence whose end has not come yet. */
  #held = '';
  #text: TerminalText | null = null;

  constructor() {
    this.#row = this.#addRow();
  }

  feed(piece: string): void {
    if (piece === '') return;
    this.#text = null;
    if (piece.length > MAX_READ_CHARS) this.#feedEnds(piece);
    else this.#read(piece);
  }

  #feedEnds(piece: string): void {
    const from = piece.indexOf('\n', HEAD_CHARS) + 1;
    const to = piece.lastIndexOf('\n', piece.length - TAIL_CHARS - TRIM_CHARS) + 1;
    if (from <= 0 || to <= from) {
      this.#read(piece);
      return;
    }
    this.#read(piece.slice(0, from));
    this.#isHeadFull = true;
    for (const row of this.#tail) this.#drop(row);
    for (let at = from; at < to; at = piece.indexOf('\n', at) + 1) this.#dropped.lines += 1;
    this.#dropped.chars += to - from;
    this.#tail = [];
    this.#tailChars = 0;
    this.#held = '';
    this.#style = PLAIN;
    this.#column = 0;
    this.#row = this.#addRow();
    this.#read(piece.slice(to));
  }

  #drop(row: Row): void {
    if (row === this.#row && row.length === 0) return;
    this.#dropped.lines += 1;
    this.#dropped.chars += row.chars + 1;
  }

  #read(piece: string): void {
    const text = this.#held + piece;
    this.#held = '';
    let at = 0;
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (code === 0x1b || code === 0x9b || code === 0x9d || code === 0x90) {
        const end = this.#sequence(text, at, code);
        if (end === -1) {
          // Too long to be meant: it is passed over, and what follows is shown.
          if (text.length - at < MAX_SEQUENCE_CHARS) this.#held = text.slice(at);
          return;
        }
        at = end;
      } else if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
        this.#control(code);
        at += 1;
      } else {
        const point = text.codePointAt(at) ?? code;
        if (point >= 0xd800 && point < 0xdc00 && at === text.length - 1) {
          this.#held = text.slice(at);
          return;
        }
        const char = point > 0xffff ? String.fromCodePoint(point) : (text[at] ?? '');
        this.#print(char);
        at += char.length;
      }
    }
  }

  read(): TerminalText {
    if (this.#text) return this.#text;
    const rows = [...this.#head, ...this.#tail];
    // The cursor stands in an empty line behind a newline: that is no line.
    if (rows.at(-1) === this.#row && this.#row.length === 0) rows.pop();
    const { lines, chars } = this.#dropped;
    this.#text = {
      lines: rows.map(spansOf),
      gap: lines > 0 ? { at: this.#head.length, lines, chars } : null,
      lineCount: rows.length + lines,
    };
    return this.#text;
  }

  #addRow(): Row {
    const row: Row = { cells: [], length: 0, chars: 0, spans: null, cut: 0 };
    if (this.#headChars > HEAD_CHARS) this.#isHeadFull = true;
    (this.#isHeadFull ? this.#tail : this.#head).push(row);
    this.#account(1);
    this.#freeze();
    if (this.#tailChars > TAIL_CHARS + TRIM_CHARS) this.#trim();
    return row;
  }

  #trim(): void {
    let drop = 0;
    while (this.#tailChars > TAIL_CHARS && drop < this.#tail.length - 1) {
      const first = this.#tail[drop];
      if (!first) break;
      this.#tailChars -= first.chars + 1;
      this.#drop(first);
      drop += 1;
    }
    if (drop > 0) this.#tail.splice(0, drop);
  }

  /** A cell for each character takes memory: what nothing can write to any more is kept as spans alone. */
  #freeze(): void {
    const rows = this.#rows();
    const row = rows[rows.length - LIVE_ROWS - 1];
    if (row && row.length > 0) {
      spansOf(row);
      row.cells = [];
      row.length = 0;
    }
  }

  #account(chars: number): void {
    if (this.#isHeadFull) this.#tailChars += chars;
    else this.#headChars += chars;
  }

  #print(char: string): void {
    const row = this.#row;
    if (this.#column >= MAX_LINE_CHARS) {
      row.cut += 1;
      row.spans = null;
      return;
    }
    while (row.cells.length < this.#column) row.cells.push(undefined);
    const before = row.cells[this.#column];
    const chars = char.length - (before?.char.length ?? 0);
    row.chars += chars;
    this.#account(chars);
    row.cells[this.#column] = { char, style: this.#style };
    row.spans = null;
    this.#column += 1;
    row.length = Math.max(row.length, this.#column);
  }

  #control(code: number): void {
    if (code === 0x0a) {
      this.#down();
      this.#column = 0;
    } else if (code === 0x0d) this.#column = 0;
    else if (code === 0x08) this.#column = Math.max(0, this.#column - 1);
    else if (code === 0x09) {
      this.#column = Math.min(MAX_LINE_CHARS, (Math.floor(this.#column / TAB) + 1) * TAB);
    }
  }

  #down(): void {
    const rows = this.#rows();
    const below = rows[rows.lastIndexOf(this.#row) + 1];
    this.#row = rows.at(-1) === this.#row || !below ? this.#addRow() : below;
  }

  /** Progress of several lines goes up and writes them again; what scrolled out long ago stays as it is. */
  #up(count: number): void {
    const rows = this.#rows();
    this.#row =
      rows[Math.max(0, rows.length - LIVE_ROWS, rows.lastIndexOf(this.#row) - count)] ?? this.#row;
  }

  #rows(): Row[] {
    return this.#tail.length > 0 ? this.#tail : this.#head;
  }

  /** The index behind the sequence, or -1 when its end is not there yet. */
  #sequence(text: string, at: number, code: number): number {
    let from = at + 1;
    let kind = code;
    if (code === 0x1b) {
      if (from >= text.length) return -1;
      const next = text[from] ?? '';
      from += 1;
      if (next === '[') kind = 0x9b;
      else if (next === ']') kind = 0x9d;
      else if (next === 'P' || next === '^' || next === '_' || next === 'X') kind = 0x90;
      else if (next >= ' ' && next <= '/') return from < text.length ? from + 1 : -1;
      else return from;
    }
    if (kind === 0x9b) return this.#csi(text, from);
    // Titles, links, the clipboard and whatever else a device may be told: none of it is text.
    for (let end = from; end < text.length; end += 1) {
      const char = text.charCodeAt(end);
      if (char === 0x9c) return end + 1;
      if (char === 0x07 && kind === 0x9d) return end + 1;
      if (char === 0x1b) {
        if (end + 1 >= text.length) return -1;
        return text[end + 1] === '\\' ? end + 2 : end;
      }
      if (end - from > MAX_SEQUENCE_CHARS) return end;
    }
    return -1;
  }

  #csi(text: string, from: number): number {
    let end = from;
    while (end < text.length && text.charCodeAt(end) >= 0x20 && text.charCodeAt(end) < 0x40) {
      end += 1;
      if (end - from > MAX_SEQUENCE_CHARS) return end;
    }
    if (end >= text.length) return -1;
    const final = text[end] ?? '';
    const parameters = text.slice(from, end);
    if (final < '@' || final > '~') return end;
    this.#command(final, parameters);
    return end + 1;
  }

  #command(final: string, parameters: string): void {
    if (final === 'm') {
      this.#style = styled(this.#style, parameters);
      return;
    }
    const first = Number.parseInt(parameters, 10);
    const count = Math.max(1, Number.isNaN(first) ? 1 : Math.min(first, MAX_LINE_CHARS));
    if (final === 'K') this.#erase(Number.isNaN(first) ? 0 : first);
    else if (final === 'J' && (Number.isNaN(first) || first === 0)) this.#eraseBelow();
    else if (final === 'C') this.#column = Math.min(MAX_LINE_CHARS, this.#column + count);
    else if (final === 'D') this.#column = Math.max(0, this.#column - count);
    else if (final === 'G') this.#column = count - 1;
    else if (final === 'A') this.#up(count);
    else if (final === 'F') {
      this.#up(count);
      this.#column = 0;
    } else if (final === 'E' || final === 'B') {
      const rows = this.#rows();
      // To the last at most: only a newline makes another.
      this.#row = rows[Math.min(rows.length - 1, rows.lastIndexOf(this.#row) + count)] ?? this.#row;
      if (final === 'E') this.#column = 0;
    }
  }

  #erase(mode: number): void {
    const row = this.#row;
    if (mode === 0) this.#truncate(row, this.#column);
    else if (mode === 2) this.#truncate(row, 0);
    else if (mode === 1) {
      this.#blank(row, 0, Math.min(this.#column + 1, row.length));
    }
  }

  #eraseBelow(): void {
    this.#truncate(this.#row, this.#column);
    const rows = this.#rows();
    for (const row of rows.slice(rows.lastIndexOf(this.#row) + 1)) this.#truncate(row, 0);
  }

  #blank(row: Row, from: number, to: number): void {
    let gone = 0;
    for (let at = from; at < to; at += 1) gone += row.cells[at]?.char.length ?? 0;
    row.cells.fill(undefined, from, to);
    row.chars -= gone;
    this.#account(-gone);
    row.spans = null;
  }

  #truncate(row: Row, length: number): void {
    if (row.length <= length) return;
    this.#blank(row, length, row.length);
    row.length = length;
    row.cut = 0;
  }
}

function spansOf(row: Row): TerminalLine {
  if (row.spans) return row.spans;
  const spans: TerminalSpan[] = [];
  let text = '';
  let style: TerminalStyle | null = null;
  for (let at = 0; at < row.length; at += 1) {
    const cell = row.cells[at] ?? BLANK;
    if (style !== null && cell.style !== style) {
      spans.push({ text, style });
      text = '';
    }
    style = cell.style;
    text += cell.char;
  }
  if (style !== null) spans.push({ text, style });
  if (row.cut > 0) {
    const note = ` … ${row.cut.toLocaleString('en')} more characters`;
    spans.push({ text: note, style: { ...PLAIN, dim: true, italic: true } });
  }
  row.spans = spans;
  return spans;
}

/** All of a text at once. */
export function terminalText(text: string): TerminalText {
  const screen = new TerminalScreen();
  screen.feed(text);
  return screen.read();
}

export function plainLine(line: TerminalLine): string {
  return line.map(({ text }) => text).join('');
}

/** A text as it would be copied out of a terminal. */
export function plainText(text: string): string {
  return terminalText(text).lines.map(plainLine).join('\n');
}
