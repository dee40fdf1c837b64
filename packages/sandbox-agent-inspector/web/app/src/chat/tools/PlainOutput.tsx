import { useState } from 'react';
import { foreignCode, formatCount } from 'sandbox-agent-react';
import styles from './parts.module.css';

const SHOWN_LINES = 16;
const SHOWN_CHARS = 4000;
const STEP_CHARS = 200_000;

/** Text as it was written, the beginning of it first. */
export function PlainOutput({ text }: { text: string }) {
  const [chars, setChars] = useState(0);
  const bare = text.replace(/\s+$/, '');
  const lines = bare.split('\n', SHOWN_LINES + 6);
  const isShort = lines.length <= SHOWN_LINES + 5 && bare.length <= SHOWN_CHARS;
  const beginning = lines.slice(0, SHOWN_LINES).join('\n').slice(0, SHOWN_CHARS);
  const shown = isShort ? bare : chars === 0 ? beginning : bare.slice(0, chars);
  return (
    <>
      <pre className={styles.plain}>{foreignCode(shown)}</pre>
      {shown.length < bare.length && (
        <button
          type="button"
          className={styles.more}
          onClick={() => setChars((before) => before + STEP_CHARS)}
        >
          {formatCount(bare.length - shown.length)} more characters
        </button>
      )}
    </>
  );
}
