import { Check } from 'lucide-react';
import type { ReactNode } from 'react';
import { useCopy } from '../shell/clipboard.ts';
import styles from './diff.module.css';

/** Copies text alone, and shows that it did. */
export function CopyButton({
  label,
  what,
  text,
  children,
}: {
  label: string;
  what: string;
  text: string | (() => string);
  children: ReactNode;
}) {
  const [isCopied, copy] = useCopy();
  return (
    <button
      type="button"
      className={styles.copy}
      aria-label={isCopied ? 'Copied' : label}
      title={label}
      onClick={() => copy(typeof text === 'string' ? text : text(), what)}
    >
      {isCopied ? <Check /> : children}
    </button>
  );
}
