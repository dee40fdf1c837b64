/** Between two columns: dragged, or moved by arrow keys. */
import { type KeyboardEvent, type PointerEvent, useRef } from 'react';
import styles from './Splitter.module.css';

interface SplitterProps {
  label: string;
  /** The id of the column whose width it is. */
  controls: string;
  value: number;
  min: number;
  max: number;
  /** Which side of the splitter the column is on. */
  side: 'left' | 'right';
  onChange(value: number): void;
  /** Back to what it is by default. */
  onReset(): void;
}

const STEP = 16;

export function Splitter({
  label,
  controls,
  value,
  min,
  max,
  side,
  onChange,
  onReset,
}: SplitterProps) {
  const start = useRef<{ x: number; value: number } | null>(null);
  const clamp = (width: number) => Math.round(Math.min(max, Math.max(min, width)));
  const sign = side === 'left' ? 1 : -1;

  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowRight: sign * STEP, ArrowLeft: -sign * STEP };
    const step = steps[event.key];
    if (step !== undefined) {
      onChange(clamp(value + step * (event.shiftKey ? 4 : 1)));
    } else if (event.key === 'Home') {
      onChange(min);
    } else if (event.key === 'End') {
      onChange(max);
    } else if (event.key === 'Enter') {
      onReset();
    } else {
      return;
    }
    event.preventDefault();
  };

  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    start.current = { x: event.clientX, value };
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: an <hr> cannot be focused and moved
    <div
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-controls={controls}
      aria-valuenow={Math.round(value)}
      aria-valuemin={min}
      aria-valuemax={max}
      tabIndex={0}
      className={styles.splitter}
      onKeyDown={onKeyDown}
      onPointerDown={onPointerDown}
      onPointerMove={(event) => {
        if (start.current) {
          onChange(clamp(start.current.value + sign * (event.clientX - start.current.x)));
        }
      }}
      onPointerUp={() => {
        start.current = null;
      }}
      onPointerCancel={() => {
        start.current = null;
      }}
      onDoubleClick={onReset}
    />
  );
}
