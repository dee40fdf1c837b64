/** The code of a line: in colour, with the words that changed, and nothing in it that deceives. */
import type { ReactNode } from 'react';
import { type DiffLine, foreignCode, type Mark } from 'sandbox-agent-react';
import type { CodeLine } from 'sandbox-agent-react/highlight';
import { tokenClass } from '../highlight/index.ts';
import styles from './diff.module.css';
import { LongLine } from './LongLine.tsx';

const MAX_CHARS = 2000;

export function renderLine(
  line: DiffLine,
  marks: readonly Mark[],
  tokens: CodeLine | undefined,
): ReactNode {
  const { text } = line;
  const isWindows = text.endsWith('\r');
  const bare = isWindows ? text.slice(0, -1) : text;
  return (
    <>
      {bare.length > MAX_CHARS ? (
        <LongLine text={bare} shown={MAX_CHARS} />
      ) : (
        pieces(bare, marks, tokens).map(({ text: piece, kind, isMarked }, index) => {
          const shown = foreignCode(piece);
          const look = kind === null ? undefined : tokenClass(kind);
          if (!isMarked && look === undefined) return shown;
          const Element = isMarked ? 'mark' : 'span';
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a line have no other name
            <Element key={index} className={isMarked ? styles.word : look}>
              {shown}
            </Element>
          );
        })
      )}
      {isWindows && line.kind !== 'context' && (
        <span className={styles.carriage} title="Ends in CR LF" />
      )}
    </>
  );
}

interface Piece {
  readonly text: string;
  readonly kind: string | null;
  readonly isMarked: boolean;
}

function pieces(text: string, marks: readonly Mark[], tokens: CodeLine | undefined): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  const push = (length: number, kind: string | null) => {
    const end = Math.min(text.length, at + length);
    while (at < end) {
      const mark = marks.find(({ to }) => to > at);
      const isMarked = mark !== undefined && mark.from <= at;
      const to = Math.min(end, mark === undefined ? end : isMarked ? mark.to : mark.from);
      found.push({ text: text.slice(at, to), kind, isMarked });
      at = to;
    }
  };
  // Colours of another text, one that has changed since, would shift the words.
  const isSame = tokens?.map((token) => token.text).join('') === text;
  if (isSame) for (const token of tokens ?? []) push(token.text.length, token.kind);
  push(text.length - at, null);
  return found;
}
