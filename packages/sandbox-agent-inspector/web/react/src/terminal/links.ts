import type { ILink, ILinkProvider, Terminal } from '@xterm/xterm';

const URL_IN_TEXT = /https?:\/\/[^\s"'<>`\\^{}|]+/g;

const BRACKETS = [
  ['(', ')'],
  ['[', ']'],
] as const;

export interface FoundUrl {
  url: string;
  /** Of the text that it was found in, from 0; `end` is behind it. */
  start: number;
  end: number;
}

/** Addresses in a line, without the punctuation of the sentence around them. */
export function urlsIn(text: string): FoundUrl[] {
  const found: FoundUrl[] = [];
  for (const match of text.matchAll(URL_IN_TEXT)) {
    let url = match[0].replace(/[.,;:!?]+$/, '');
    for (const [open, close] of BRACKETS)
      while (url.endsWith(close) && count(url, open) < count(url, close)) url = url.slice(0, -1);
    if (URL.canParse(url)) found.push({ url, start: match.index, end: match.index + url.length });
  }
  return found;
}

function count(text: string, letter: string): number {
  return text.split(letter).length - 1;
}

/** Makes addresses in the output of a terminal clickable, also those that go on in the next row. */
export class UrlLinks implements ILinkProvider {
  readonly #terminal: Terminal;
  readonly #open: (url: string, event: MouseEvent) => void;

  constructor(terminal: Terminal, open: (url: string, event: MouseEvent) => void) {
    this.#terminal = terminal;
    this.#open = open;
  }

  provideLinks(row: number, tell: (links: ILink[] | undefined) => void): void {
    const buffer = this.#terminal.buffer.active;
    const columns = this.#terminal.cols;
    let first = row - 1;
    while (first > 0 && buffer.getLine(first)?.isWrapped) first--;
    let text = '';
    let at = first;
    let line = buffer.getLine(at);
    while (line && (at === first || line.isWrapped)) {
      text += line.translateToString(false).padEnd(columns);
      line = buffer.getLine(++at);
    }
    const links = urlsIn(text).map(({ url, start, end }) => ({
      text: url,
      range: {
        start: { x: (start % columns) + 1, y: first + Math.floor(start / columns) + 1 },
        end: { x: ((end - 1) % columns) + 1, y: first + Math.floor((end - 1) / columns) + 1 },
      },
      activate: (event: MouseEvent) => this.#open(url, event),
    }));
    tell(links.filter((link) => link.range.start.y <= row && row <= link.range.end.y));
  }
}
