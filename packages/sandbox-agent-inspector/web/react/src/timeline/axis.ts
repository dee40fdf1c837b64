/** Time, with the idle hours between turns cut out: a bar of ten seconds must be seen in a session of three days. */
export interface AxisPiece {
  readonly start: number;
  readonly end: number;
  /** Where it begins on the axis. */
  readonly offset: number;
}

export interface Axis {
  readonly pieces: readonly AxisPiece[];
  /** Milliseconds of axis. */
  readonly length: number;
  readonly gaps: readonly { readonly at: number; readonly duration: number }[];
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly open: boolean;
}

const IDLE_MS = 30_000;
/** What is left of an idle time, of all that is not idle: it can be seen that there was one. */
const GAP_PART = 1 / 25;

/** The axis of all spans; what is open goes on until `now`. */
export function axisOf(spans: Iterable<Span>, now: number): Axis {
  const busy = busyTimes(spans, now);
  const total = busy.reduce((sum, { start, end }) => sum + end - start, 0);
  const gapLength = Math.min(IDLE_MS, Math.max(1, total * GAP_PART));
  const pieces: AxisPiece[] = [];
  const gaps: { at: number; duration: number }[] = [];
  let offset = 0;
  for (const { start, end } of busy) {
    const before = pieces.at(-1);
    if (before) {
      gaps.push({ at: offset, duration: start - before.end });
      offset += gapLength;
    }
    pieces.push({ start, end, offset });
    offset += end - start;
  }
  return { pieces, length: offset, gaps };
}

/** The times in which something went on, with no long pause in any of them. */
function busyTimes(spans: Iterable<Span>, now: number): { start: number; end: number }[] {
  const busy: { start: number; end: number }[] = [];
  for (const span of spans) {
    const end = Math.max(span.end, span.open ? now : span.end);
    if (Number.isNaN(span.start) || Number.isNaN(end)) continue;
    const last = busy.at(-1);
    // Clocks step back: an earlier start belongs to what is there.
    if (last && span.start <= last.end + IDLE_MS) last.end = Math.max(last.end, end);
    else busy.push({ start: span.start, end });
  }
  return busy;
}

/** Where a time is on the axis, in its milliseconds. */
export function positionOf(axis: Axis, time: number): number {
  let low = 0;
  let high = axis.pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((axis.pieces[middle]?.start ?? 0) <= time) low = middle;
    else high = middle - 1;
  }
  const piece = axis.pieces[low];
  if (!piece) return 0;
  return piece.offset + Math.min(Math.max(time - piece.start, 0), piece.end - piece.start);
}

/** What of the axis is shown. */
export interface AxisWindow {
  readonly from: number;
  readonly width: number;
}

/** The window of this width around a time, kept inside of the axis. */
export function windowAround(axis: Axis, centre: number, width: number): AxisWindow {
  const whole = Math.max(axis.length, 1);
  const shown = Math.min(width, whole);
  return { from: Math.min(Math.max(centre - shown / 2, 0), whole - shown), width: shown };
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 3e4].concat(
  [1, 2, 5, 10, 20, 30].map((minutes) => minutes * 60_000),
  [1, 2, 4, 8, 12, 24, 48, 96, 240].map((hours) => hours * 3_600_000),
);

export interface Tick {
  /** 0 … 1 of the window. */
  readonly at: number;
  readonly label: string;
}

/** Round times inside of a window, at most so many. */
export function ticksOf(window: AxisWindow, atMost: number): Tick[] {
  const step = STEPS.find((one) => window.width / one <= atMost) ?? window.width;
  const ticks: Tick[] = [];
  const first = Math.ceil(window.from / step) * step;
  for (let at = first; at <= window.from + window.width && ticks.length <= atMost; at += step) {
    ticks.push({ at: (at - window.from) / window.width, label: offsetLabel(at) });
  }
  return ticks;
}

/** `0s`, `250ms`, `1:20`, `2:00:00`: how far into the session. */
export function offsetLabel(ms: number): string {
  if (ms < 60_000) {
    return ms % 1000 === 0 ? `${ms / 1000}s` : ms < 1000 ? `${ms}ms` : `${ms / 1000}s`;
  }
  const seconds = Math.round(ms / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(seconds % 60)}`
    : `${minutes}:${two(seconds % 60)}`;
}

/** `0.2 s`, `14.0 s`, `4:12`, `2 h 05`: how long something took. */
export function durationLabel(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)}`;
  return `${Math.round(minutes / 1440)} days`;
}
