import type { ReactNode } from 'react';
import styles from './Intro.module.css';

interface IntroProps {
  icon?: ReactNode;
  title: string;
  /** What it is about, in a sentence or two. */
  children?: ReactNode;
}

/** The head of a page on which there is nothing yet but what one does next. */
export function Intro({ icon, title, children }: IntroProps) {
  return (
    <header className={styles.intro}>
      {icon && (
        <span className={styles.glyph} aria-hidden>
          {icon}
        </span>
      )}
      <h1 className={styles.title}>{title}</h1>
      {children && <p className={styles.lead}>{children}</p>}
    </header>
  );
}
