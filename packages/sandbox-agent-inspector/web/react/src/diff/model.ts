/** The one model of a changed file, whether its texts are known (an agent's edit) or only a patch (git, a turn). */

export type FileStatus =
  | 'added'
  | 'modified'
  | 'deleted'
  | 'renamed'
  | 'copied'
  | 'type_changed'
  /** What is there now is known, what was there before is not. */
  | 'written';

export type LineKind = 'context' | 'add' | 'del';

export interface DiffLine {
  readonly kind: LineKind;
  /** Without its end. */
  readonly text: string;
  /** From 1; null where nobody knows, and on the side where the line is not. */
  readonly oldNumber: number | null;
  readonly newNumber: number | null;
  /** The last of a file that does not end in a newline. */
  readonly noNewline: boolean;
}

export interface DiffHunk {
  readonly oldStart: number | null;
  readonly newStart: number | null;
  /** What git writes behind `@@`: the function that it is in. */
  readonly section: string;
  readonly lines: readonly DiffLine[];
}

export interface FileDiff {
  readonly path: string;
  readonly oldPath: string | null;
  readonly status: FileStatus;
  readonly binary: boolean;
  readonly oldMode: string | null;
  readonly mode: string | null;
  readonly additions: number;
  readonly deletions: number;
  readonly hunks: readonly DiffHunk[];
  /** All lines of the file, old and new, from which unchanged runs can be opened; absent of a patch. */
  readonly whole: { readonly old: readonly string[]; readonly new: readonly string[] } | null;
  /** Too much differs to be compared in time: everything old is taken out, everything new put in. */
  readonly replaced: boolean;
  /** Nothing but the ends of the lines changed. */
  readonly lineEndings: { readonly from: LineEnding; readonly to: LineEnding } | null;
  /** The patch ended before the file did. */
  readonly truncated: boolean;
}

export type LineEnding = 'LF' | 'CRLF' | 'mixed';

export function changedLines(file: FileDiff): number {
  return file.additions + file.deletions;
}

/** A text as lines, each with its end: joined they are the text again. */
export function splitLines(text: string): string[] {
  // Not by `\r`, form feeds or Unicode's separators: git does not, either.
  const lines: string[] = [];
  let from = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', from)) {
    lines.push(text.slice(from, at + 1));
    from = at + 1;
  }
  if (from < text.length) lines.push(text.slice(from));
  return lines;
}

export function withoutEnd(line: string): string {
  return line.endsWith('\n') ? line.slice(0, -1) : line;
}

export function lineEnding(text: string): LineEnding {
  const all = text.split('\n').length - 1;
  const windows = text.split('\r\n').length - 1;
  if (windows === 0) return 'LF';
  return windows === all ? 'CRLF' : 'mixed';
}

/** Counts of a file's lines by what became of them. */
export function countChanges(hunks: readonly DiffHunk[]): { additions: number; deletions: number } {
  let additions = 0;
  let deletions = 0;
  for (const hunk of hunks) {
    for (const line of hunk.lines) {
      if (line.kind === 'add') additions += 1;
      else if (line.kind === 'del') deletions += 1;
    }
  }
  return { additions, deletions };
}
