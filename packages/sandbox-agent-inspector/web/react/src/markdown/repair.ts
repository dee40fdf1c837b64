/** The end of a text that is still being written: what is not decided yet is held back, for show only. */

const FENCE = /^ {0,3}(`{3,}|~{3,})/;

/** `tail` as it can be shown now. Never longer than the text but for the marks that close what is open. */
export function repairTail(tail: string): string {
  const lastBreak = tail.lastIndexOf('\n');
  const lastLine = tail.slice(lastBreak + 1);
  if (isInFence(tail.slice(0, lastBreak + 1))) {
    // The beginning of the closing fence is no line of code.
    return /^ {0,3}(`{1,}|~{1,})$/.test(lastLine) ? tail.slice(0, lastBreak + 1) : tail;
  }
  if (FENCE.test(lastLine)) return tail;
  // One or two backticks may become a fence; dashes and equals signs would make a heading of the line before.
  if (/^ {0,3}(`{1,2}|~{1,2}|-{1,}|={1,}|#{1,6}|>|[*+]|\d{1,9}[.)]?)\s?$/.test(lastLine)) {
    return tail.slice(0, lastBreak + 1);
  }
  const start = paragraphStart(tail);
  return tail.slice(0, start) + repairInline(holdBackTable(tail.slice(start)));
}

function isInFence(text: string): boolean {
  let open: string | null = null;
  for (const line of text.split('\n')) {
    const fence = FENCE.exec(line)?.[1];
    if (fence === undefined) continue;
    if (open === null) open = fence;
    else if (fence.startsWith(open) && line.trim() === fence) open = null;
  }
  return open !== null;
}

function paragraphStart(text: string): number {
  const blank = text.lastIndexOf('\n\n');
  return blank === -1 ? 0 : blank + 2;
}

/** A table is one only from its second row on; until then its first row would be shown as text with bars. */
function holdBackTable(paragraph: string): string {
  const lines = paragraph.split('\n');
  const [first = '', second, ...rest] = lines;
  if (!/^ {0,3}\|/.test(first) || rest.length > 0) return paragraph;
  if (second === undefined) return '';
  const isWhole = /^ {0,3}\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?)?\s*$/.test(second);
  const columns = (row: string) => row.replace(/^\s*\||\|\s*$/g, '').split('|').length;
  return isWhole && columns(first) === columns(second) ? paragraph : '';
}

function repairInline(paragraph: string): string {
  const code = closeCode(paragraph);
  if (code !== null) return code;
  // Up to its closing bracket a link is not known to be one.
  const link = /!?\[[^\]\n]*(?:\](?:\([^)\n]*)?)?$/.exec(paragraph);
  let text = paragraph;
  if (link && !/^\[[ xX]?\]?$/.test(link[0]) && link[0] !== '') {
    const isReference = /^!?\[[^\]\n]*\]$/.test(link[0]);
    if (!isReference) text = paragraph.slice(0, link.index);
  }
  return closeEmphasis(text);
}

/** Closes an open code span; null when there is none. */
function closeCode(text: string): string | null {
  const runs = [...text.matchAll(/`+/g)];
  let open: string | null = null;
  let openedAt = 0;
  for (const run of runs) {
    if (open === null) {
      open = run[0];
      openedAt = run.index;
    } else if (run[0] === open) open = null;
  }
  if (open === null) return null;
  const inside = text.slice(openedAt + open.length);
  if (inside.trim() === '') return closeEmphasis(text.slice(0, openedAt));
  return text + open;
}

function closeEmphasis(text: string): string {
  const bare = text.replace(/`[^`]*`/g, (span) => ' '.repeat(span.length));
  const trailing = /(\*{1,3}|_{1,3}|~{1,2})$/.exec(bare);
  const closing: string[] = [];
  for (const mark of ['**', '__', '~~']) {
    if (bare.split(mark).length % 2 === 0) closing.push(mark);
  }
  if (closing.length === 0) return text;
  // A mark that nothing follows yet would open and close nothing: four stars are text.
  if (trailing) {
    const opens = bare.slice(0, trailing.index);
    const isOpening = closing.some((mark) => opens.split(mark).length % 2 === 1);
    if (isOpening) return text.slice(0, trailing.index);
    // The first half of the closing mark.
    if (trailing[1]?.length === 1)
      return text.slice(0, trailing.index) + closing.reverse().join('');
    return text;
  }
  const spaces = /\s*$/.exec(text)?.[0] ?? '';
  return text.slice(0, text.length - spaces.length) + closing.reverse().join('') + spaces;
}
