import styles from './Skeleton.module.css';

interface SkeletonProps {
  /** Widths of its lines, in percent, as what comes will have them. */
  lines?: readonly number[];
}

/** Appears after 150 ms, so that what is quick never flickers. */
export function Skeleton({ lines = [90, 75, 40] }: SkeletonProps) {
  return (
    <div className={styles.skeleton} aria-hidden>
      {lines.map((width, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have nothing but their place
        <svg key={index} className={styles.line} role="presentation">
          <rect width={`${width}%`} height="12" rx="4" />
        </svg>
      ))}
    </div>
  );
}
