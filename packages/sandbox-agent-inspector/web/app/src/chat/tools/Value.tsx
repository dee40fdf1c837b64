/** Arguments and results of tools that have no shape of their own: names and values, nested ones as JSON. */
import { useState } from 'react';
import { foreignCode, formatCount } from 'sandbox-agent-react';
import { Foreign } from '../../ui/index.ts';
import styles from './value.module.css';

const MAX_ENTRIES = 40;
const SHOWN_CHARS = 600;

export function Value({ value }: { value: unknown }) {
  const [isWhole, setWhole] = useState(false);
  if (typeof value !== 'object' || value === null) return <Leaf value={value} />;
  const entries = Object.entries(value);
  const shown = isWhole ? entries : entries.slice(0, MAX_ENTRIES);
  return (
    <>
      <dl className={styles.value}>
        {shown.map(([name, one]) => (
          <div key={name} className={styles.entry}>
            <dt>
              <Foreign text={name} maxChars={60} />
            </dt>
            <dd>
              <Leaf value={one} />
            </dd>
          </div>
        ))}
      </dl>
      {shown.length < entries.length && (
        <button type="button" className={styles.more} onClick={() => setWhole(true)}>
          {formatCount(entries.length - shown.length)} more
        </button>
      )}
    </>
  );
}

function Leaf({ value }: { value: unknown }) {
  const [isWhole, setWhole] = useState(false);
  const text = typeof value === 'string' ? value : written(value);
  const isLong = text.length > SHOWN_CHARS;
  return (
    <span className={styles.leaf} data-type={value === null ? 'null' : typeof value}>
      {foreignCode(isLong && !isWhole ? text.slice(0, SHOWN_CHARS) : text)}
      {isLong && !isWhole && (
        <button type="button" className={styles.more} onClick={() => setWhole(true)}>
          … {formatCount(text.length - SHOWN_CHARS)} more characters
        </button>
      )}
    </span>
  );
}

function written(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'object') return JSON.stringify(value, null, 2);
  return String(value);
}
