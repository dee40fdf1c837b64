import { Maximize2, ZoomIn, ZoomOut } from 'lucide-react';
import { type AxisWindow, ticksOf } from 'sandbox-agent-react';
import { IconButton } from '../ui/index.ts';
import styles from './Timeline.module.css';

interface AxisHeaderProps {
  window: AxisWindow;
  isWhole: boolean;
  isNarrow: boolean;
  summary: string;
  onZoom: (factor: number) => void;
  onFit: () => void;
}

/** What the bars are measured by. */
export function AxisHeader({ window, isWhole, isNarrow, summary, onZoom, onFit }: AxisHeaderProps) {
  return (
    <div className={styles.axis}>
      <span className={styles.summary}>{summary}</span>
      <span className={styles.zoom}>
        <IconButton label="Zoom out" size="small" isDisabled={isWhole} onPress={() => onZoom(2)}>
          <ZoomOut />
        </IconButton>
        <IconButton label="Zoom in" size="small" onPress={() => onZoom(0.5)}>
          <ZoomIn />
        </IconButton>
        <IconButton
          label="Show the whole session"
          size="small"
          isDisabled={isWhole}
          onPress={onFit}
        >
          <Maximize2 />
        </IconButton>
      </span>
      <span className={styles.ticks} aria-hidden>
        {ticksOf(window, isNarrow ? 2 : 5).map((tick) => (
          <span key={tick.label} className={styles.tick} style={{ left: `${tick.at * 100}%` }}>
            {tick.label}
          </span>
        ))}
      </span>
    </div>
  );
}
