import { formatDuration, formatElapsed, useNow } from 'sandbox-agent-react';
import styles from './tool.module.css';

/** How long it took, or takes: that ticks each second. */
export function Elapsed({
  startedAt,
  durationMs,
  isRunning,
}: {
  startedAt: string;
  durationMs: number | null;
  isRunning: boolean;
}) {
  const now = useNow(isRunning);
  if (isRunning) {
    const elapsed = now - Date.parse(startedAt);
    if (!(elapsed >= 1000)) return null;
    return <span className={styles.duration}>{formatElapsed(elapsed)}</span>;
  }
  if (durationMs === null || durationMs < 50) return null;
  return <span className={styles.duration}>{formatDuration(durationMs)}</span>;
}
