import { ListTree } from 'lucide-react';
import type { TimelineRow } from 'sandbox-agent-react';
import { navigate, paths } from '../shell/navigation.ts';
import { Banner, Button, EmptyState, Skeleton } from '../ui/index.ts';
import styles from './Timeline.module.css';

interface GoneProps {
  sessionId: string;
  seq: number;
  rows: readonly TimelineRow[];
}

/** A link to an event that is not there. */
export function Gone({ sessionId, seq, rows }: GoneProps) {
  const nearest = nearestSeq(rows, seq);
  return (
    <Banner
      title={`This session has no event ${seq}`}
      actions={
        nearest !== null && (
          <Button
            size="small"
            onPress={() => navigate(paths.event(sessionId, nearest), { replace: true })}
          >
            Go to {nearest}, the nearest
          </Button>
        )
      }
    />
  );
}

function nearestSeq(rows: readonly TimelineRow[], seq: number): number | null {
  let nearest: number | null = null;
  for (const row of rows) {
    for (const one of row.seqs) {
      if (nearest === null || Math.abs(one - seq) < Math.abs(nearest - seq)) nearest = one;
    }
  }
  return nearest;
}

export function Problem({ problem, onRetry }: { problem: Error; onRetry: () => void }) {
  return (
    <Banner
      tone="err"
      title="The events could not be read"
      actions={
        <Button size="small" onPress={onRetry}>
          Try again
        </Button>
      }
    >
      {problem.message}
    </Banner>
  );
}

interface NothingProps {
  isLoading: boolean;
  isFiltered: boolean;
  onClear: () => void;
}

export function Nothing({ isLoading, isFiltered, onClear }: NothingProps) {
  if (isLoading) {
    return (
      <div className={styles.loading}>
        <Skeleton lines={[70, 85, 60, 78, 66, 90, 52]} />
      </div>
    );
  }
  if (isFiltered) {
    return (
      <EmptyState
        icon={<ListTree />}
        title="No event fits the filter"
        actions={<Button onPress={onClear}>Show all</Button>}
      />
    );
  }
  return (
    <EmptyState icon={<ListTree />} title="No events yet">
      What the agent does appears here as it happens.
    </EmptyState>
  );
}
