/** Which words of a changed line differ from those of its counterpart. */
import { diffWordsWithSpace } from 'diff';

export interface Mark {
  readonly from: number;
  readonly to: number;
}

export interface WordMarks {
  readonly old: readonly Mark[];
  readonly new: readonly Mark[];
}

/** From this part on the marks would be the line. */
const MOSTLY_CHANGED = 0.6;
const MAX_CHARS = 2000;
const TIMEOUT_MS = 10;

/** null where marks would say nothing: most of the line changed, or it is too long to be compared. */
export function wordMarks(before: string, after: string): WordMarks | null {
  if (before === after || before.length + after.length > MAX_CHARS) return null;
  const changes = diffWordsWithSpace(before, after, { timeout: TIMEOUT_MS });
  if (changes === undefined) return null;
  const old: Mark[] = [];
  const now: Mark[] = [];
  let oldAt = 0;
  let newAt = 0;
  let changed = 0;
  for (const { added, removed, value } of changes) {
    if (added) {
      add(now, newAt, newAt + value.length);
      newAt += value.length;
      changed += value.trim().length;
    } else if (removed) {
      add(old, oldAt, oldAt + value.length);
      oldAt += value.length;
      changed += value.trim().length;
    } else {
      oldAt += value.length;
      newAt += value.length;
    }
  }
  const all = before.trim().length + after.trim().length;
  if (all === 0 || changed / all >= MOSTLY_CHANGED) return null;
  return { old, new: now };
}

function add(marks: Mark[], from: number, to: number): void {
  const last = marks.at(-1);
  if (last && last.to === from) marks[marks.length - 1] = { from: last.from, to };
  else marks.push({ from, to });
}
