/** What a command printed: its end while it runs, its beginning and its end when it is over. */
import { type CSSProperties, memo, useState } from 'react';
import {
  foreignCode,
  formatBytes,
  formatCount,
  spanColors,
  type TerminalLine,
  type TerminalStyle,
  useTerminalText,
} from 'sandbox-agent-react';
import { Virtualizer } from 'virtua';
import styles from './terminal.module.css';

const LIVE_LINES = 12;
const HEAD_LINES = 6;
const TAIL_LINES = 6;
/** Hiding fewer than this would save nothing. */
const MIN_HIDDEN = 3;
const WINDOWED_LINES = 300;

interface TerminalOutputProps {
  text: string;
  isLive: boolean;
  /** Such as "errors": which of the streams it is. */
  label?: string;
}

export function TerminalOutput({ text, isLive, label }: TerminalOutputProps) {
  const [isWhole, setWhole] = useState(false);
  const { lines, gap, lineCount } = useTerminalText(text);
  const short = HEAD_LINES + TAIL_LINES + MIN_HIDDEN;
  const isShort = lineCount < short && gap === null;
  const showsAll = isWhole || isShort;
  return (
    <div className={styles.terminal} data-live={isLive || undefined}>
      {label && <div className={styles.label}>{label}</div>}
      {showsAll && <AllLines lines={lines} gap={gap} />}
      {!showsAll && isLive && (
        <>
          <Hidden count={lineCount - LIVE_LINES} isBefore onShow={() => setWhole(true)} />
          <Lines lines={lines.slice(-LIVE_LINES)} />
        </>
      )}
      {!showsAll && !isLive && (
        <>
          <Lines lines={lines.slice(0, HEAD_LINES)} />
          <Hidden count={lineCount - HEAD_LINES - TAIL_LINES} onShow={() => setWhole(true)} />
          <Lines lines={lines.slice(-TAIL_LINES)} />
        </>
      )}
      {isWhole && !isShort && (
        <button type="button" className={styles.fold} onClick={() => setWhole(false)}>
          Show less
        </button>
      )}
    </div>
  );
}

function Hidden({
  count,
  isBefore = false,
  onShow,
}: {
  count: number;
  isBefore?: boolean;
  onShow: () => void;
}) {
  if (count <= 0) return null;
  const lines = `${formatCount(count)} ${isBefore ? 'earlier' : 'more'} lines`;
  return (
    <button type="button" className={styles.fold} onClick={onShow}>
      {lines}
    </button>
  );
}

function AllLines({
  lines,
  gap,
}: {
  lines: readonly TerminalLine[];
  gap: { at: number; lines: number; chars: number } | null;
}) {
  const gapNote = gap && (
    <div key="gap" className={styles.gap}>
      {formatCount(gap.lines)} lines, {formatBytes(gap.chars)}, are not kept on this page
    </div>
  );
  if (lines.length <= WINDOWED_LINES && gap === null) return <Lines lines={lines} />;
  const rows = lines.map((line, index) => ({ line, index }));
  const at = gap?.at ?? 0;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keys
    <section className={styles.all} tabIndex={0} aria-label="All output">
      <Virtualizer>
        {[
          ...rows.slice(0, at).map(windowed),
          ...(gapNote ? [gapNote] : []),
          ...rows.slice(at).map(windowed),
        ]}
      </Virtualizer>
    </section>
  );
}

function windowed({ line, index }: { line: TerminalLine; index: number }) {
  return <Line key={index} line={line} />;
}

function Lines({ lines }: { lines: readonly TerminalLine[] }) {
  return (
    <pre className={styles.lines}>
      {lines.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have nothing but their place
        <Line key={index} line={line} />
      ))}
    </pre>
  );
}

const Line = memo(function Line({ line }: { line: TerminalLine }) {
  return (
    <span className={styles.line}>
      {line.length === 0 && '\n'}
      {line.map(({ text, style }, index) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a line have no other name
          key={index}
          className={looks(style)}
          style={colours(style)}
        >
          {foreignCode(text)}
        </span>
      ))}
    </span>
  );
});

const known = new WeakMap<TerminalStyle, CSSProperties>();

function colours(style: TerminalStyle): CSSProperties | undefined {
  if (style.fg === null && style.bg === null && !style.inverse) return undefined;
  const found = known.get(style);
  if (found) return found;
  const dark = spanColors(style, 'dark');
  const light = spanColors(style, 'light');
  const made: CSSProperties = {};
  if (dark.color && light.color) made.color = `light-dark(${light.color}, ${dark.color})`;
  if (dark.background && light.background) {
    made.backgroundColor = `light-dark(${light.background}, ${dark.background})`;
  }
  known.set(style, made);
  return made;
}

function looks(style: TerminalStyle): string | undefined {
  const names = [
    style.bold && styles.bold,
    style.dim && styles.dim,
    style.italic && styles.italic,
    style.underline && styles.underline,
    style.strike && styles.strike,
  ].filter(Boolean);
  return names.length > 0 ? names.join(' ') : undefined;
}
