import type { KeyboardEvent } from 'react';
import type { TimelineRow } from 'sandbox-agent-react';

/** The row that a key goes to, or null if it is none of ours. */
export function stepOf(
  event: KeyboardEvent,
  at: number,
  count: number,
  page: number,
): number | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const within = (index: number) => Math.min(Math.max(index, 0), count - 1);
  switch (event.key) {
    case 'ArrowDown':
    case 'j':
      return within(at + 1);
    case 'ArrowUp':
    case 'k':
      return at < 0 ? count - 1 : within(at - 1);
    case 'PageDown':
      return within(at + Math.max(page - 1, 1));
    case 'PageUp':
      return within(at - Math.max(page - 1, 1));
    case 'Home':
      return within(0);
    case 'End':
      return within(count - 1);
    default:
      return null;
  }
}

/** Where the rows in view are on the axis. */
export function middleOf(
  first: TimelineRow | undefined,
  last: TimelineRow | undefined,
  position: (time: number) => number,
): number {
  if (!first || !last) return 0;
  return (position(first.start) + position(last.end)) / 2;
}

/** `1,204 events`, or what is left of them. */
export function summaryOf(shown: number, all: number, events: number, noun: string): string {
  const number = (value: number) => value.toLocaleString('en');
  if (shown < all) return `${number(shown)} of ${number(all)} rows`;
  return `${number(events)} ${events === 1 ? noun : `${noun}s`}`;
}
