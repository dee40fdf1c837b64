// Controls and formats (bidi marks, zero-width, soft hyphen, tags), separators of lines, and letters that show nothing.
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]|\u034f|\u17b4|\u17b5/gu;
/** So much of a name is shown; the whole is in its tooltip. */
export const FOREIGN_MAX_CHARS = 160;

/**
 * A name that somebody else chose, with everything visible that would deceive: `⟨U+202E⟩`. What an agent tells may be no
 * text at all, whatever its protocol says.
 */
export function foreign(text: string): string {
  return asText(text).replace(DECEPTIVE, (mark) => {
    const code = mark.codePointAt(0) ?? 0;
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
}

function asText(told: unknown): string {
  return typeof told === 'string' ? told : (JSON.stringify(told) ?? '');
}

/** Cut in the middle: the end of a path says most. */
export function shortened(text: string, maxChars = FOREIGN_MAX_CHARS): string {
  const letters = [
    ...text.slice(0, maxChars * 4),
    ...text.slice(maxChars * 4).slice(-maxChars * 2),
  ];
  if (letters.length <= maxChars) return text.length <= maxChars * 2 ? text : letters.join('');
  const half = Math.floor((maxChars - 1) / 2);
  return `${letters.slice(0, half).join('')}…${letters.slice(-half).join('')}`;
}

/** Code and output, likewise: their tabs are theirs. */
export function foreignCode(code: string): string {
  const text = asText(code);
  return DECEPTIVE_IN_CODE.test(text) ? text.replace(/[^\t\n]+/gu, foreign) : text;
}

const DECEPTIVE_IN_CODE =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]|\u034f|\u17b4|\u17b5/u;
