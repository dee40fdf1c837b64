import { ChevronRight } from 'lucide-react';
import { type ReactNode, useId } from 'react';
import styles from './Disclosure.module.css';

interface DisclosureProps {
  summary: ReactNode;
  isOpen: boolean;
  onToggle: (isOpen: boolean) => void;
  children: ReactNode;
  className?: string;
}

/** The content is made when it is opened. */
export function Disclosure({
  summary,
  isOpen,
  onToggle,
  children,
  className = '',
}: DisclosureProps) {
  const id = useId();
  return (
    <div className={className} data-open={isOpen || undefined}>
      <button
        type="button"
        className={styles.summary}
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => onToggle(!isOpen)}
      >
        <ChevronRight aria-hidden className={styles.chevron} />
        {summary}
      </button>
      <div id={id}>{isOpen && children}</div>
    </div>
  );
}
