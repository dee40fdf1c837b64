/** How far a long step is. */
import { Label, ProgressBar } from 'react-aria-components';
import { foreign } from 'sandbox-agent-react';
import styles from './StepBar.module.css';

export function StepBar({ label, done }: { label: string; done: number | null }) {
  return (
    <ProgressBar className={styles.step} isIndeterminate={done === null} value={(done ?? 0) * 100}>
      <Label className={styles.label}>{foreign(label)}</Label>
      {done === null ? null : <span className={styles.percent}>{Math.round(done * 100)} %</span>}
      <svg className={styles.track} aria-hidden>
        <rect width={done === null ? '30%' : `${done * 100}%`} height="4" rx="2" />
      </svg>
    </ProgressBar>
  );
}
