/** What is to be said of a changed file beside its lines. */
import { type FileDiff, formatCount } from 'sandbox-agent-react';

const WORDS: Readonly<Record<FileDiff['status'], string | null>> = {
  added: 'new',
  modified: null,
  deleted: 'deleted',
  renamed: 'renamed',
  copied: 'copied',
  type_changed: 'type changed',
  written: 'written',
};

export function statusWord(file: FileDiff): string | null {
  return WORDS[file.status];
}

export function fileNotes(file: FileDiff, shown: { hasRows: boolean; isGated: boolean }): string[] {
  const notes: string[] = [];
  if (file.binary) notes.push('Binary file: its content is not shown.');
  if (file.oldMode && file.mode && file.oldMode !== file.mode) {
    notes.push(`Mode ${modeWords(file.oldMode)} → ${modeWords(file.mode)}`);
  }
  if (file.lineEndings) {
    const { from, to } = file.lineEndings;
    const count = formatCount(Math.max(file.additions, file.deletions));
    notes.push(`Only the ends of ${count} lines changed: ${from} → ${to}.`);
  }
  if (file.replaced) notes.push('Too much differs to be compared: the whole file was replaced.');
  if (file.status === 'written') notes.push('What was there before is not known.');
  if (file.truncated) notes.push('The diff ends here: it was too large to be sent whole.');
  if (notes.length === 0 && !shown.hasRows && !shown.isGated) {
    notes.push(emptyNote(file));
  }
  return notes;
}

function emptyNote(file: FileDiff): string {
  if (file.status === 'renamed') return 'Renamed, with the same content.';
  if (file.status === 'copied') return 'Copied, with the same content.';
  if (file.status === 'added') return 'An empty file.';
  if (file.status === 'deleted') return 'It was empty.';
  if (file.additions + file.deletions > 0) return 'Its lines are not part of this diff.';
  return 'Nothing changed.';
}

const MODES: Readonly<Record<string, string>> = {
  '100644': '644',
  '100755': '755 (executable)',
  '120000': 'link',
  '160000': 'submodule',
};

function modeWords(mode: string): string {
  return Object.hasOwn(MODES, mode) ? (MODES[mode] ?? mode) : mode;
}
