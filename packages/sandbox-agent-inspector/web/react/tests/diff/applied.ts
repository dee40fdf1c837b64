import { diffRows, type FileDiff, type Opened } from 'sandbox-agent-react';

/** The text that a diff makes of the old one. */
export function applied(file: FileDiff, oldText: string): string {
  const old = lines(oldText);
  const result: string[] = [];
  let at = 0;
  for (const hunk of file.hunks) {
    const first = hunk.lines.find(({ oldNumber }) => oldNumber !== null)?.oldNumber;
    const before = first == null ? (hunk.oldStart ?? 1) - 1 : first - 1;
    while (at < before) result.push(old[at++] ?? '');
    for (const line of hunk.lines) {
      const text = line.text + (line.noNewline ? '' : '\n');
      if (line.kind !== 'add' && old[at] !== text) throw new Error(`old line ${at} is another`);
      if (line.kind !== 'add') at += 1;
      if (line.kind !== 'del') result.push(text);
    }
  }
  return [...result, ...old.slice(at)].join('');
}

/** What is read on the new side when every fold is open. */
export function shownNew(file: FileDiff): string {
  const rows = diffRows(file, ALL);
  return rows
    .map((row) => {
      if (row.type === 'fold') throw new Error('a fold is left');
      if (row.line.kind === 'del') return '';
      return row.line.text + (row.line.noNewline ? '' : '\n');
    })
    .join('');
}

/** Opens whatever is asked for. */
const ALL: Opened = {
  get: () => ({ top: Number.POSITIVE_INFINITY, bottom: 0 }),
} as unknown as Opened;

function lines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}
