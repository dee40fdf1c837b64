/** Colours of both sides of a diff, by line. */
import { useCallback, useMemo } from 'react';
import { type DiffLine, type FileDiff, languageOfPath } from 'sandbox-agent-react';
import type { CodeLine } from 'sandbox-agent-react/highlight';
import { useHighlight } from '../highlight/index.ts';

const MAX_LINES = 4000;

export function useDiffColours(
  file: FileDiff,
  isShown: boolean,
): (line: DiffLine) => CodeLine | undefined {
  const sides = useMemo(() => (isShown ? codeOf(file) : NOTHING), [file, isShown]);
  const language = sides === NOTHING ? null : languageOfPath(file.path);
  const old = useHighlight(sides.old, language);
  const now = useHighlight(sides.new, language);
  return useCallback(
    (line) => {
      const isOld = line.kind === 'del';
      const lines = isOld ? old : now;
      if (lines === null) return undefined;
      const place = isOld ? line.oldNumber : line.newNumber;
      const index = file.whole ? (place ?? 0) - 1 : sides.places.get(line);
      return index === undefined ? undefined : lines[index];
    },
    [file, sides, old, now],
  );
}

interface Sides {
  readonly old: string;
  readonly new: string;
  readonly places: ReadonlyMap<DiffLine, number>;
}

const NOTHING: Sides = { old: '', new: '', places: new Map() };

function codeOf(file: FileDiff): Sides {
  if (file.whole) {
    if (file.whole.old.length + file.whole.new.length > 2 * MAX_LINES) return NOTHING;
    const hasOld = file.deletions > 0;
    return {
      old: hasOld ? unix(file.whole.old.join('')) : '',
      new: unix(file.whole.new.join('')),
      places: NOTHING.places,
    };
  }
  const old: string[] = [];
  const now: string[] = [];
  const places = new Map<DiffLine, number>();
  for (const line of file.hunks.flatMap((hunk) => hunk.lines)) {
    if (line.kind !== 'add') {
      if (line.kind === 'del') places.set(line, old.length);
      old.push(line.text);
    }
    if (line.kind !== 'del') {
      places.set(line, now.length);
      now.push(line.text);
    }
  }
  if (places.size > MAX_LINES) return NOTHING;
  return { old: unix(old.join('\n')), new: unix(now.join('\n')), places };
}

function unix(text: string): string {
  return text.replaceAll('\r\n', '\n');
}
