import { foreign } from '../foreign.ts';

/** A fence is longer than every run of its character inside of it. */
export function fenced(content: string, language = ''): string {
  const runs = content.match(/`{3,}/g) ?? [];
  const fence = '`'.repeat(Math.max(3, ...runs.map((run) => run.length + 1)));
  const info = /^[\w+#.-]{0,30}$/.test(language) ? language : '';
  return `${fence}${info}\n${content}${content.endsWith('\n') || content === '' ? '' : '\n'}${fence}`;
}

/** A name or a command of somebody else within a line. */
export function codeSpan(text: string): string {
  const line = foreign(text.replace(/\s+/g, ' ').trim());
  if (line === '') return '';
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map((run) => run.length));
  const ticks = '`'.repeat(longest + 1);
  const pad = line.startsWith('`') || line.endsWith('`') ? ' ' : '';
  return `${ticks}${pad}${line}${pad}${ticks}`;
}

/** Words of somebody else within a line of ours: no markup, no mentions, no references. */
export function escapedLine(text: string): string {
  return foreign(text.replace(/\s+/g, ' ').trim()).replace(/[\\`*_[\]<>#|~!@&]/g, '\\$&');
}

const FENCE = /^(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*(`{3,}|~{3,})/;

/**
 * Markdown of an agent inside of a document of ours: its headings are below ours, its HTML is text, its pictures are links
 * (a forge would load them), and what it leaves open ends with it.
 */
export function embedded(markdown: string): string {
  const lines = markdown.replaceAll('\r\n', '\n').split('\n');
  const out: string[] = [];
  let open: string | null = null;
  for (const line of lines) {
    const fence = FENCE.exec(line)?.[1] ?? null;
    if (open !== null) {
      const rest = fence === null ? '' : line.slice(line.indexOf(fence) + fence.length);
      const closes =
        fence !== null && fence[0] === open[0] && fence.length >= open.length && rest.trim() === '';
      if (closes) open = null;
      out.push(line);
    } else if (fence !== null) {
      open = fence;
      out.push(line);
    } else {
      out.push(plainMarkup(line, out.at(-1) ?? ''));
    }
  }
  if (open !== null) out.push(open);
  return out.join('\n').trim();
}

function plainMarkup(line: string, before: string): string {
  if (/^ {0,3}(=+|-+)[ \t]*$/.test(line) && before.trim() !== '') {
    // Under a line of text it would make a heading of it.
    return line.replace(/[=-]/, '\\$&');
  }
  const heading = /^( {0,3})(#{1,6})(?=[ \t]|$)/.exec(line);
  const deeper = heading
    ? `${heading[1]}${'#'.repeat(Math.min(6, (heading[2]?.length ?? 1) + 2))}${line.slice(heading[0].length)}`
    : line;
  return outsideCode(deeper, (text) =>
    text.replace(/<(?=[a-z/!?])(?!(?:https?|mailto):)/gi, '\\<').replace(/!\[/g, '\\!['),
  );
}

/** Changes what is not between backticks. */
function outsideCode(line: string, change: (text: string) => string): string {
  let out = '';
  let from = 0;
  const spans = /(?<!`)(`+)(?!`)/g;
  for (let open = spans.exec(line); open; open = spans.exec(line)) {
    const ticks = open[1] ?? '';
    const end = closing(line, open.index + ticks.length, ticks.length);
    if (end < 0) continue;
    out += change(line.slice(from, open.index)) + line.slice(open.index, end);
    from = end;
    spans.lastIndex = end;
  }
  return out + change(line.slice(from));
}

function closing(line: string, from: number, length: number): number {
  const runs = /`+/g;
  runs.lastIndex = from;
  for (let run = runs.exec(line); run; run = runs.exec(line)) {
    if (run[0].length === length) return run.index + length;
  }
  return -1;
}

export function quoted(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '>' : `> ${line}`))
    .join('\n');
}
