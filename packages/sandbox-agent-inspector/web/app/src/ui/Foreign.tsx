import { FOREIGN_MAX_CHARS, foreign, shortened } from 'sandbox-agent-react';
import styles from './Foreign.module.css';

interface ForeignProps {
  text: string;
  maxChars?: number;
  className?: string;
}

export function Foreign({ text, maxChars = FOREIGN_MAX_CHARS, className = '' }: ForeignProps) {
  const shown = shortened(foreign(text), maxChars);
  return (
    <bdi
      className={`${styles.foreign} ${className}`}
      title={shown === text ? undefined : foreign(text).slice(0, 4096)}
    >
      {shown}
    </bdi>
  );
}
