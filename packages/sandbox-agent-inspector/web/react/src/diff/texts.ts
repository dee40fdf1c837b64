/** A `FileDiff` from texts: of what an agent tells of its edit, or of any two texts. */
import { diffArrays } from 'diff';
import type { Diff } from 'sandbox-agent-client';
import {
  countChanges,
  type DiffHunk,
  type DiffLine,
  type FileDiff,
  type FileStatus,
  lineEnding,
  splitLines,
  withoutEnd,
} from './model.ts';

const CONTEXT = 3;
/** Two long texts with nothing in common would take seconds. */
const TIMEOUT_MS = 50;
/** The server compares no further than this, and answers one hunk that takes all out and puts all in. */
const SERVER_GIVES_UP_LINES = 1000;

interface TextsOptions {
  readonly path: string;
  readonly oldPath?: string | null;
  /** null: there was no file. */
  readonly oldText: string | null;
  readonly newText: string | null;
  /** The texts are all of the file. */
  readonly isWholeFile?: boolean;
  /** Where pieces begin in their files, from 1; null where nobody knows. */
  readonly oldStart?: number | null;
  readonly newStart?: number | null;
  readonly status?: FileStatus;
  readonly timeoutMs?: number;
}

interface Run {
  readonly kind: 'same' | 'del' | 'add';
  readonly count: number;
}

export function fileDiffOfTexts(options: TextsOptions): FileDiff {
  const { oldText, newText } = options;
  const isWhole = options.isWholeFile ?? true;
  const before = splitLines(oldText ?? '');
  const after = splitLines(newText ?? '');
  const runs = compare(before, after, options.timeoutMs ?? TIMEOUT_MS);
  const oldStart = options.oldStart === undefined ? (isWhole ? 1 : null) : options.oldStart;
  const newStart = options.newStart === undefined ? (isWhole ? 1 : null) : options.newStart;
  const all = hunksOf(before, after, runs.runs, oldStart, newStart);
  const hunks = isWhole ? all : all.map(asPiece);
  return {
    path: options.path,
    oldPath: options.oldPath ?? null,
    status: options.status ?? statusOf(oldText, newText, options),
    binary: false,
    oldMode: null,
    mode: null,
    ...countChanges(hunks),
    hunks,
    whole: isWhole ? { old: before, new: after } : null,
    replaced: runs.replaced,
    lineEndings: endings(oldText, newText),
    truncated: false,
  };
}

/** What the server tells of an edit. Its hunks are taken as they are where they say something. */
export function fileDiffOf(diff: Diff): FileDiff {
  const oldText = diff.oldText ?? null;
  const isWhole = diff.isWholeFile === true || oldText === null;
  const hunks = diff.hunks ?? [];
  const size = hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
  if (hunks.length === 0 || isWhole || size > SERVER_GIVES_UP_LINES) {
    return fileDiffOfTexts({
      path: diff.path,
      oldText,
      newText: diff.newText,
      isWholeFile: isWhole,
      oldStart: isWhole ? 1 : (hunks[0]?.oldStart ?? null),
      newStart: isWhole ? 1 : (hunks[0]?.newStart ?? null),
    });
  }
  const read = hunks.map((hunk) =>
    asPiece(readHunk(hunk.lines, hunk.oldStart ?? null, hunk.newStart ?? null, '')),
  );
  return {
    path: diff.path,
    oldPath: null,
    status: 'modified',
    binary: false,
    oldMode: null,
    mode: null,
    ...countChanges(read),
    hunks: read,
    whole: null,
    replaced: false,
    lineEndings: endings(oldText, diff.newText),
    truncated: false,
  };
}

/** The end of a piece is no end of a file, so nothing is missing there. */
function asPiece(hunk: DiffHunk): DiffHunk {
  return { ...hunk, lines: hunk.lines.map((line) => ({ ...line, noNewline: false })) };
}

/** Signed lines, as a unified diff has them, with their numbers. */
export function readHunk(
  signed: readonly string[],
  oldStart: number | null,
  newStart: number | null,
  section: string,
): DiffHunk {
  const lines: DiffLine[] = [];
  let old = oldStart;
  let now = newStart;
  for (const line of signed) {
    const sign = line[0];
    if (sign === '\\') {
      const last = lines.pop();
      if (last) lines.push({ ...last, noNewline: true });
      continue;
    }
    const kind = sign === '+' ? 'add' : sign === '-' ? 'del' : 'context';
    lines.push({
      kind,
      text: line.slice(1),
      oldNumber: kind === 'add' ? null : old,
      newNumber: kind === 'del' ? null : now,
      noNewline: false,
    });
    if (kind !== 'add' && old !== null) old += 1;
    if (kind !== 'del' && now !== null) now += 1;
  }
  return { oldStart, newStart, section, lines };
}

function statusOf(
  oldText: string | null,
  newText: string | null,
  { oldPath, path }: TextsOptions,
): FileStatus {
  if (oldText === null) return 'added';
  if (newText === null) return 'deleted';
  return oldPath && oldPath !== path ? 'renamed' : 'modified';
}

function endings(oldText: string | null, newText: string | null): FileDiff['lineEndings'] {
  if (!oldText || !newText || oldText === newText) return null;
  if (oldText.replaceAll('\r\n', '\n') !== newText.replaceAll('\r\n', '\n')) return null;
  return { from: lineEnding(oldText), to: lineEnding(newText) };
}

function compare(
  before: readonly string[],
  after: readonly string[],
  timeout: number,
): { runs: Run[]; replaced: boolean } {
  // The common ends stay out of the comparison: most edits are small, most files are not.
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (
    tail < shorter - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  ) {
    tail += 1;
  }
  const old = before.slice(head, before.length - tail);
  const now = after.slice(head, after.length - tail);
  const runs: Run[] = [];
  if (head > 0) runs.push({ kind: 'same', count: head });
  let replaced = false;
  if (old.length === 0 || now.length === 0) {
    runs.push({ kind: 'del', count: old.length }, { kind: 'add', count: now.length });
  } else {
    const changes = diffArrays(old, now, { timeout });
    replaced = changes === undefined;
    if (changes === undefined) {
      runs.push({ kind: 'del', count: old.length }, { kind: 'add', count: now.length });
    } else {
      for (const { added, removed, count } of changes) {
        runs.push({ kind: added ? 'add' : removed ? 'del' : 'same', count });
      }
    }
  }
  if (tail > 0) runs.push({ kind: 'same', count: tail });
  return { runs: runs.filter(({ count }) => count > 0), replaced };
}

function hunksOf(
  before: readonly string[],
  after: readonly string[],
  runs: readonly Run[],
  oldStart: number | null,
  newStart: number | null,
): DiffHunk[] {
  const hunks: DiffHunk[] = [];
  let lines: DiffLine[] = [];
  let old = 0;
  let now = 0;
  const oldAt = (index: number) => (oldStart === null ? null : oldStart + index);
  const newAt = (index: number) => (newStart === null ? null : newStart + index);
  const same = (from: number, to: number, newFrom: number) => {
    for (let at = from; at < to; at += 1) {
      lines.push(line('context', before[at], oldAt(at), newAt(newFrom + at - from)));
    }
  };
  const close = () => {
    const first = lines[0];
    if (first) {
      hunks.push({
        oldStart: lines.find(({ oldNumber }) => oldNumber !== null)?.oldNumber ?? oldAt(old),
        newStart: lines.find(({ newNumber }) => newNumber !== null)?.newNumber ?? newAt(now),
        section: '',
        lines,
      });
    }
    lines = [];
  };
  runs.forEach((run, index) => {
    const isFirst = index === 0;
    const isLast = index === runs.length - 1;
    if (run.kind === 'del') {
      for (let at = old; at < old + run.count; at += 1)
        lines.push(line('del', before[at], oldAt(at), null));
      old += run.count;
    } else if (run.kind === 'add') {
      for (let at = now; at < now + run.count; at += 1)
        lines.push(line('add', after[at], null, newAt(at)));
      now += run.count;
    } else {
      const end = old + run.count;
      const newEnd = now + run.count;
      if (isFirst && isLast) {
        // Nothing differs.
      } else if (isFirst) {
        const from = Math.max(old, end - CONTEXT);
        same(from, end, newEnd - (end - from));
      } else if (isLast) {
        same(old, Math.min(end, old + CONTEXT), now);
      } else if (run.count > 2 * CONTEXT) {
        same(old, old + CONTEXT, now);
        close();
        same(end - CONTEXT, end, newEnd - CONTEXT);
      } else {
        same(old, end, now);
      }
      old = end;
      now = newEnd;
    }
  });
  close();
  return hunks;
}

function line(
  kind: DiffLine['kind'],
  text: string | undefined,
  oldNumber: number | null,
  newNumber: number | null,
): DiffLine {
  const whole = text ?? '';
  return { kind, text: withoutEnd(whole), oldNumber, newNumber, noNewline: !whole.endsWith('\n') };
}
