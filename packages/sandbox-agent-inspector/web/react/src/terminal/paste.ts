/** C0 but tab and line ends, DEL, and C1. */
function isControl(letter: string): boolean {
  const code = letter.charCodeAt(0);
  if (letter === '\t' || letter === '\n' || letter === '\r') return false;
  return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

export interface PasteGuard {
  /** What would be typed. */
  text: string;
  lines: number;
  /** Ask first: each line would be carried out at once, or there is something in it that nobody sees. */
  mustAsk: boolean;
  /** Control characters were taken out. */
  wasCleaned: boolean;
}

/** A program that asked for bracketed pastes gets lines as a text; a shell without that would run each of them. */
export function guardPaste(pasted: string, isBracketed: boolean): PasteGuard {
  // An ESC in a paste could end the brackets and type what comes after it.
  const letters = Array.from(pasted);
  const visible = letters.filter((letter) => !isControl(letter));
  const wasCleaned = visible.length < letters.length;
  const text = visible.join('').replace(/\r\n?/g, '\n');
  const lines = text.split('\n').length;
  return { text, lines, wasCleaned, mustAsk: (lines > 1 && !isBracketed) || wasCleaned };
}
