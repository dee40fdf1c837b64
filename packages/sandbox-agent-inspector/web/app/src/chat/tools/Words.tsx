import { Prose } from '../Prose.tsx';
import styles from './parts.module.css';

/** Prose within a call: what a sub-agent is told and reports, a plan, a page. */
export function Words({ text }: { text: string }) {
  return (
    <div className={styles.words}>
      <Prose text={text} />
    </div>
  );
}
