/** What is too deep or too long to be read as markdown is shown as it was written, so that no text can freeze a page. */

export const MAX_MARKDOWN_CHARS = 200_000;
/** Of what is lexed again with each piece of a stream. */
export const MAX_TAIL_CHARS = 60_000;
export const MAX_LINE_CHARS = 10_000;
export const MAX_NESTING = 16;
export const MAX_MARKS_IN_PARAGRAPH = 2_000;

export type PlainReason = 'too long' | 'long line' | 'too deep' | 'too many marks';

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
// Each marker is taken with at most one blank, so that the pattern has one way to match.
const MARKERS = /^(?:[ \t]*(?:[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t])|>))*/;
const MARK = /[*_~`[\]()<>!|\\]/;

/** Why `text` must not be lexed as markdown, or null when it may. Reads each character once. */
export function plainReason(text: string): PlainReason | null {
  if (text.length > MAX_MARKDOWN_CHARS) return 'too long';
  let fence: string | null = null;
  let marks = 0;
  let start = 0;
  while (start <= text.length) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    const line = text.slice(start, end);
    start = end + 1;
    const opened = FENCE.exec(line)?.[1];
    if (fence !== null) {
      if (opened?.startsWith(fence) && line.trim() === opened) fence = null;
      continue;
    }
    if (opened !== undefined) {
      fence = opened;
      marks = 0;
      continue;
    }
    if (line.length > MAX_LINE_CHARS) return 'long line';
    if (nesting(line) > MAX_NESTING) return 'too deep';
    marks = line.trim() === '' ? 0 : marks + countMarks(line);
    if (marks > MAX_MARKS_IN_PARAGRAPH) return 'too many marks';
  }
  return null;
}

/** How deep a line lies in lists and quotations, at most: by its markers and by its indentation. */
function nesting(line: string): number {
  const markers = MARKERS.exec(line)?.[0] ?? '';
  const count = markers.replace(/\d+/g, '').match(/[-*+.)>]/g)?.length ?? 0;
  const indent = (/^\s*/.exec(line)?.[0].length ?? 0) / 2;
  return count > 0 ? count + Math.floor(indent) : 0;
}

function countMarks(line: string): number {
  let count = 0;
  for (const char of line) {
    if (MARK.test(char)) count += 1;
  }
  return count;
}
