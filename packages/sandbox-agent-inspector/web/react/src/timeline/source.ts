import type { EventLike } from './event.ts';

/** What the timeline shows: a part of a log without holes, by `seq`, that grows at both ends. */
export interface LogSource<E extends EventLike = EventLike> {
  readonly length: number;
  at(index: number): E | undefined;
  subscribe(listener: () => void): () => void;
}

/** The first place whose `seq` is at least this one. */
export function placeOfSeq(source: LogSource, seq: number): number {
  let low = 0;
  let high = source.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((source.at(middle)?.seq ?? 0) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function eventOfSeq<E extends EventLike>(source: LogSource<E>, seq: number): E | null {
  const event = source.at(placeOfSeq(source, seq));
  return event?.seq === seq ? event : null;
}

export interface LogPage<E> {
  readonly events: readonly E[];
  readonly nextCursor: number;
  readonly hasMore: boolean;
}

const PAGE = 1000;

/**
 * A view of the log that nothing streams to this page: frames, or events with all their deltas. It is read in pages, from
 * its end backwards, and once more whenever somebody says that there may be more.
 */
export class PagedSource<E extends EventLike = EventLike> implements LogSource<E> {
  private events: E[] = [];
  private from = 0;
  private cursor = 0;
  private again = false;
  private busy = false;
  private readonly listeners = new Set<() => void>();
  /** Why the last page could not be read. */
  problem: Error | null = null;
  /** Whether anything was read yet. */
  isRead = false;

  constructor(
    private readonly read: (query: { after: number; limit: number }) => Promise<LogPage<E>>,
    /** Where it begins: behind this `seq`. See `lastPage` and `pageAround`. */
    from: number,
  ) {
    this.from = from;
    this.cursor = from;
  }

  static lastPage(lastSeq: number): number {
    return Math.max(0, lastSeq - PAGE);
  }

  static pageAround(seq: number): number {
    return Math.max(0, seq - PAGE / 2);
  }

  /** Behind which `seq` it begins. */
  get begin(): number {
    return this.from;
  }

  get length(): number {
    return this.events.length;
  }

  /** Whether the log's beginning is there. */
  get complete(): boolean {
    return this.from === 0;
  }

  at(index: number): E | undefined {
    return this.events[index];
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Reads what is new, all of it or some pages. Asked for again meanwhile, it reads once more. */
  async loadNewer(pages = Number.POSITIVE_INFINITY): Promise<void> {
    this.again = true;
    if (this.busy) return;
    await this.reading(async () => {
      for (let left = pages; this.again && left > 0; left -= 1) {
        this.again = false;
        const page = await this.read({ after: this.cursor, limit: PAGE });
        this.cursor = Math.max(this.cursor, page.nextCursor);
        this.again ||= page.hasMore;
        if (page.events.length > 0) this.replace([...this.events, ...page.events]);
      }
    });
  }

  /** Reads the page before, or all pages back to this `seq`. */
  async loadEarlier(until = this.from): Promise<void> {
    if (this.busy || this.complete) return;
    await this.reading(async () => {
      const to = this.from;
      const from = Math.max(0, Math.min(until, to) - PAGE);
      const earlier: E[] = [];
      for (let after = from; after < to; ) {
        const page = await this.read({ after, limit: Math.min(PAGE, to - after) });
        earlier.push(...page.events.filter((event) => event.seq <= to));
        if (page.nextCursor <= after) break;
        after = page.nextCursor;
      }
      this.from = from;
      this.replace([...earlier, ...this.events]);
    });
  }

  private async reading(work: () => Promise<void>): Promise<void> {
    this.busy = true;
    try {
      await work();
      this.problem = null;
    } catch (problem) {
      this.problem = problem instanceof Error ? problem : new Error(String(problem));
    } finally {
      this.busy = false;
      const isFirst = !this.isRead;
      this.isRead = true;
      if (isFirst || this.problem) this.replace(this.events);
    }
  }

  private replace(events: E[]): void {
    this.events = events;
    for (const listener of this.listeners) listener();
  }
}
