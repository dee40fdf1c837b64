/** What a terminal shows and where its keys go: a process of the server, or a log that is only read. */
export interface TerminalTransport {
  /** Begins; called once. Whatever comes goes to `events` until `stop`. */
  start(events: TerminalEvents, size: TerminalSize): void;
  /** Absent: nothing can be typed. */
  write?(data: string): void;
  resize?(size: TerminalSize): void;
  stop(): void;
}

export interface TerminalSize {
  cols: number;
  rows: number;
}

export interface TerminalExit {
  exitCode: number | null;
  signal: string | null;
}

export type TerminalState = 'connecting' | 'live' | 'reconnecting' | 'ended' | 'failed';

export interface TerminalEvents {
  /** `taken` is to be called when it is on the screen: whoever sends more than is taken is asked to wait. */
  data(bytes: Uint8Array, taken: () => void): void;
  /** So many bytes come first, of what was there before this screen. */
  restoring(bytes: number): void;
  exit(exit: TerminalExit): void;
  /** Something of the output is not shown, or a key was refused. */
  notice(message: string): void;
  state(state: TerminalState, reason?: string): void;
}
