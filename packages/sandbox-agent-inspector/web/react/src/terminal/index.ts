export type { FindResult } from './finding.ts';
export { type BarKey, type HeldKeys, sequenceOf, withHeld } from './keys.ts';
export { type FoundUrl, urlsIn } from './links.ts';
export { guardPaste, type PasteGuard } from './paste.ts';
export { type LogStream, ProcessLog } from './processLog.ts';
export { ProcessTerminal } from './processTerminal.ts';
export type { ScreenHandlers, ScreenOptions } from './screen.ts';
export { Terminal, type TerminalHandle, type TerminalProps } from './Terminal.tsx';
export type {
  TerminalEvents,
  TerminalExit,
  TerminalSize,
  TerminalState,
  TerminalTransport,
} from './transport.ts';
