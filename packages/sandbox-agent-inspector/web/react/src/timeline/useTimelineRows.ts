import { useEffect, useRef, useState } from 'react';
import { type RowOptions, type TimelineRow, TimelineRows } from './rows.ts';
import { type LogSource, placeOfSeq } from './source.ts';

export interface TimelineView {
  readonly rows: readonly TimelineRow[];
  readonly counts: ReadonlyMap<string, number>;
  /** Events that there are rows of. */
  readonly events: number;
}

export const NO_ROWS: TimelineView = { rows: [], counts: new Map(), events: 0 };

/** Keeps the rows of a log that grows: what is new is added, and only what comes before makes it begin again. */
export class RowKeeper {
  private rows = new TimelineRows();
  private first = -1;

  constructor(
    private readonly source: LogSource,
    private readonly options: RowOptions,
  ) {}

  update(): TimelineView {
    const first = this.source.at(0)?.seq ?? 0;
    if (first !== this.first) {
      this.rows = new TimelineRows(this.options);
      this.first = first;
    }
    // By `seq`, not by place: deltas leave the log once their message is there whole.
    for (
      let at = placeOfSeq(this.source, this.rows.lastSeq + 1);
      at < this.source.length;
      at += 1
    ) {
      const event = this.source.at(at);
      if (event) this.rows.push(event);
    }
    return { rows: this.rows.rows.slice(), counts: this.rows.counts, events: this.source.length };
  }
}

/** A list that is read, not watched: more often nobody could follow it. */
const UPDATE_MS = 200;

/** The rows of a log, put together anew when `options` are others: a few times a second, in a hidden tab when it is seen. */
export function useTimelineRows(source: LogSource | null, options: RowOptions): TimelineView {
  const [view, setView] = useState<TimelineView>(NO_ROWS);
  const frame = useRef(0);
  useEffect(() => {
    if (!source) return setView(NO_ROWS);
    const keeper = new RowKeeper(source, options);
    let updatedAt = Number.NEGATIVE_INFINITY;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const update = () => {
      frame.current = 0;
      updatedAt = performance.now();
      setView(keeper.update());
    };
    const schedule = () => {
      timer = undefined;
      frame.current ||= requestAnimationFrame(update);
    };
    update();
    const unsubscribe = source.subscribe(() => {
      if (frame.current) return;
      timer ??= setTimeout(schedule, Math.max(0, updatedAt + UPDATE_MS - performance.now()));
    });
    return () => {
      unsubscribe();
      clearTimeout(timer);
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    };
  }, [source, options]);
  return view;
}
