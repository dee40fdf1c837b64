import { Button } from 'react-aria-components';
import { formatCount, useSessionSelector } from 'sandbox-agent-react';
import { Tip } from '../ui/index.ts';
import styles from './Composer.module.css';

/** How full the context window is. */
export function ContextMeter({ sessionId }: { sessionId: string }) {
  const usage = useSessionSelector(sessionId, (snapshot) => snapshot.transcript.usage);
  const used = usage?.contextUsed;
  const size = usage?.contextSize;
  if (typeof used !== 'number' || typeof size !== 'number' || size <= 0) return null;
  const share = Math.min(1, used / size);
  const percent = `${Math.round(share * 100)} %`;
  return (
    <Tip text={`${formatCount(used)} of ${formatCount(size)} tokens of the context window`}>
      <Button className={styles.context} data-full={share >= 0.85 || undefined}>
        <span className={styles.contextWord}>context</span>
        <meter className={styles.meter} min={0} max={1} value={share} aria-label="Context window" />
        {percent}
      </Button>
    </Tip>
  );
}
