import { useState } from 'react';
import { foreignCode, formatBytes } from 'sandbox-agent-react';
import styles from './diff.module.css';

const STEP = 100_000;

/** A line of a megabyte would freeze the page: it comes in pieces. */
export function LongLine({ text, shown }: { text: string; shown: number }) {
  const [length, setLength] = useState(shown);
  return (
    <>
      {foreignCode(text.slice(0, length))}
      {length < text.length && (
        <button
          type="button"
          className={styles.more}
          onClick={() => setLength((before) => before + STEP)}
        >
          … {formatBytes(text.length - length)} more
        </button>
      )}
    </>
  );
}
