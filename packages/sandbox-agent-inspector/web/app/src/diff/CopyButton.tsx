import { Check } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { notify } from '../shell/notify.tsx';
import styles from './diff.module.css';

/** Copies text alone, and shows that it did. */
export function CopyButton({
  label,
  text,
  children,
}: {
  label: string;
  text: string | (() => string);
  children: ReactNode;
}) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [isCopied]);
  return (
    <button
      type="button"
      className={styles.copy}
      aria-label={isCopied ? 'Copied' : label}
      title={label}
      onClick={() => {
        void copyText(typeof text === 'string' ? text : text()).then(setCopied);
      }}
    >
      {isCopied ? <Check /> : children}
    </button>
  );
}

export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Only pages of https and of this machine may write there.
    notify({ title: 'The browser did not let it be copied', tone: 'error', key: 'copy' });
    return false;
  }
}
