/** The same diff without the changes that are of white space alone. */
import { diffArrays } from 'diff';
import { countChanges, type DiffHunk, type DiffLine, type FileDiff } from './model.ts';

const TIMEOUT_MS = 50;

export function withoutWhitespaceChanges(file: FileDiff): FileDiff {
  const hunks = file.hunks
    .map((hunk) => ({ ...hunk, lines: settled(hunk.lines) }))
    .filter((hunk) => hunk.lines.some(({ kind }) => kind !== 'context'));
  return { ...file, hunks, ...countChanges(hunks), lineEndings: null };
}

/** Runs of changes in a hunk: removed lines, then added ones. */
export function changeRuns(
  lines: readonly DiffLine[],
): { from: number; mid: number; to: number }[] {
  const runs: { from: number; mid: number; to: number }[] = [];
  for (let at = 0; at < lines.length; ) {
    if (lines[at]?.kind === 'context') {
      at += 1;
      continue;
    }
    const from = at;
    while (lines[at]?.kind === 'del') at += 1;
    const mid = at;
    while (lines[at]?.kind === 'add') at += 1;
    runs.push({ from, mid, to: at });
  }
  return runs;
}

function settled(lines: DiffHunk['lines']): DiffLine[] {
  const result: DiffLine[] = [];
  let at = 0;
  for (const { from, mid, to } of changeRuns(lines)) {
    result.push(
      ...lines.slice(at, from),
      ...compared(lines.slice(from, mid), lines.slice(mid, to)),
    );
    at = to;
  }
  result.push(...lines.slice(at));
  return result;
}

function compared(removed: readonly DiffLine[], added: readonly DiffLine[]): DiffLine[] {
  const bare = (line: DiffLine) => line.text.replace(/\s+/g, '');
  const changes = diffArrays(removed.map(bare), added.map(bare), { timeout: TIMEOUT_MS });
  if (changes === undefined) return [...removed, ...added];
  const result: DiffLine[] = [];
  let old = 0;
  let now = 0;
  for (const change of changes) {
    if (change.removed) {
      result.push(...removed.slice(old, old + change.count));
      old += change.count;
    } else if (change.added) {
      result.push(...added.slice(now, now + change.count));
      now += change.count;
    } else {
      for (let index = 0; index < change.count; index += 1) {
        const before = removed[old + index];
        const after = added[now + index];
        if (before && after)
          result.push({ ...after, kind: 'context', oldNumber: before.oldNumber });
      }
      old += change.count;
      now += change.count;
    }
  }
  return result;
}
