/** A piece of a file, with its numbers. */
import { useState } from 'react';
import { foreignCode, formatCount, languageOfPath } from 'sandbox-agent-react';
import { CodeLineView, useHighlight } from '../../highlight/index.ts';
import styles from './code.module.css';

interface SourceCodeProps {
  text: string;
  path: string | null;
  /** The number of its first line; null where it has none. */
  start: number | null;
}

const SHOWN_LINES = 24;
const STEP_LINES = 1000;
const MAX_LINE_CHARS = 4000;

export function SourceCode({ text, path, start }: SourceCodeProps) {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
  const [shown, setShown] = useState(SHOWN_LINES);
  const isFew = lines.length <= SHOWN_LINES + 6;
  const visible = isFew ? lines : lines.slice(0, shown);
  const coloured = useHighlight(
    visible.join('\n'),
    path === null ? null : languageOfPath(path.split(/[?#]/)[0] ?? path),
  );
  const last = String((start ?? 1) + lines.length).length;
  return (
    <div
      className={styles.code}
      data-numbered={start !== null || undefined}
      data-digits={Math.min(6, Math.max(2, last))}
    >
      <pre>
        {visible.map((line, index) => {
          const tokens = coloured?.[index];
          const isSame = tokens?.map((token) => token.text).join('') === line;
          const isPlain = foreignCode(line) === line && line.length <= MAX_LINE_CHARS;
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines have nothing but their place
            <span key={index} className={styles.line} data-number={(start ?? 1) + index}>
              {isSame && isPlain ? (
                <CodeLineView text={line} line={tokens} />
              ) : (
                foreignCode(cut(line)) || '\n'
              )}
              {'\n'}
            </span>
          );
        })}
      </pre>
      {visible.length < lines.length && (
        <button
          type="button"
          className={styles.more}
          onClick={() => setShown((before) => before + STEP_LINES)}
        >
          {formatCount(lines.length - visible.length)} more lines
        </button>
      )}
    </div>
  );
}

function cut(line: string): string {
  if (line.length <= MAX_LINE_CHARS) return line;
  return `${line.slice(0, MAX_LINE_CHARS)} … ${formatCount(line.length - MAX_LINE_CHARS)} more characters`;
}
