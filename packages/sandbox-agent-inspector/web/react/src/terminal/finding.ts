import type { Terminal } from '@xterm/xterm';

export interface FindResult {
  /** How many places there are, and which is selected, from 1; 0 of 0 when there is none. */
  count: number;
  at: number;
}

interface Place {
  row: number;
  column: number;
}

/** Looks for a text in all that a terminal still has, and selects the next place from where one is. */
export function findInTerminal(terminal: Terminal, text: string, backwards: boolean): FindResult {
  const places = text === '' ? [] : placesOf(terminal, text.toLowerCase());
  if (places.length === 0) {
    terminal.clearSelection();
    return { count: 0, at: 0 };
  }
  const selected = terminal.getSelectionPosition();
  const here: Place = selected
    ? { row: selected.start.y, column: selected.start.x }
    : { row: terminal.buffer.active.viewportY + terminal.rows, column: 0 };
  let at: number;
  if (backwards || !selected) {
    at = places.findLastIndex((one) => isBefore(one, here));
    if (at < 0) at = places.length - 1;
  } else {
    at = places.findIndex((one) => isBefore(here, one));
    if (at < 0) at = 0;
  }
  const place = places[at];
  if (place) {
    terminal.select(place.column, place.row, text.length);
    terminal.scrollToLine(Math.max(0, place.row - Math.floor(terminal.rows / 2)));
  }
  return { count: places.length, at: at + 1 };
}

function isBefore(one: Place, other: Place): boolean {
  return one.row < other.row || (one.row === other.row && one.column < other.column);
}

function placesOf(terminal: Terminal, wanted: string): Place[] {
  const buffer = terminal.buffer.active;
  const found: Place[] = [];
  for (let row = 0; row < buffer.length; row++) {
    const line = buffer.getLine(row)?.translateToString(true).toLowerCase() ?? '';
    for (let at = line.indexOf(wanted); at >= 0; at = line.indexOf(wanted, at + wanted.length))
      found.push({ row, column: at });
  }
  return found;
}
