/** Output that grows: only what is new of it is read. */
import { useMemo, useRef } from 'react';
import { TerminalScreen, type TerminalText } from './screen.ts';

interface Reading {
  readonly screen: TerminalScreen;
  readonly text: string;
}

export function useTerminalText(text: string): TerminalText {
  // Only a memory of what was read: the same text gives equal lines without it.
  const memory = useRef<Reading | null>(null);
  return useMemo(() => {
    const before = memory.current;
    const goesOn = before !== null && text.startsWith(before.text);
    const screen = goesOn ? before.screen : new TerminalScreen();
    screen.feed(goesOn ? text.slice(before.text.length) : text);
    memory.current = { screen, text };
    return screen.read();
  }, [text]);
}
