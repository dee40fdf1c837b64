/** Arguments and results of tools that have no shape of their own: names and values, nested ones as a tree. */
import { useState } from 'react';
import { foreignCode, formatCount } from 'sandbox-agent-react';
import { JsonTree } from '../../timeline/JsonTree.tsx';
import { Foreign } from '../../ui/index.ts';
import styles from './value.module.css';

const MAX_ENTRIES = 40;
const SHOWN_CHARS = 600;

export function Value({ value, label }: { value: unknown; label: string }) {
  if (typeof value !== 'object' || value === null) return <Leaf value={value} />;
  const entries = Object.entries(value);
  const isFlat = entries.every(([, one]) => !isNested(one));
  if (!isFlat || Array.isArray(value) || entries.length > MAX_ENTRIES) {
    return <JsonTree value={value} label={label} />;
  }
  return (
    <dl className={styles.value}>
      {entries.map(([name, one]) => (
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
  );
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
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
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
