export { contrast, type SpanColors, spanColors, type Theme } from './colors.ts';
export type { TerminalColor, TerminalLine, TerminalSpan, TerminalStyle } from './model.ts';
export {
  HEAD_CHARS,
  MAX_LINE_CHARS,
  plainLine,
  plainText,
  TAIL_CHARS,
  TerminalScreen,
  type TerminalText,
  terminalText,
} from './screen.ts';
export { useTerminalText } from './useTerminalText.ts';
