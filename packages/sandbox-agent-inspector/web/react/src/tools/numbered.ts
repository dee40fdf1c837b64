/** Files as agents read them: with the numbers of their lines in front, each agent in its own way. */

export interface NumberedCode {
  readonly text: string;
  /** The number of the first line; null where none is told. */
  readonly start: number | null;
  /** What the agent says around the file. */
  readonly note: string | null;
}

const NUMBERED = /^\s{0,8}(\d{1,7})(?:\t|→|\| ?|: )(.*)$/;

export function numberedCode(text: string): NumberedCode {
  const inner = /^<(?:file|content)>\n([\s\S]*?)\n?<\/(?:file|content)>\s*([\s\S]*)$/.exec(text);
  const lines = (inner?.[1] ?? text).replace(/\n$/, '').split('\n');
  const first = NUMBERED.exec(lines[0] ?? '');
  if (!first) return { text, start: null, note: null };
  const start = Number(first[1]);
  const bare: string[] = [];
  for (const line of lines) {
    const found = NUMBERED.exec(line);
    if (!found || Number(found[1]) !== start + bare.length) break;
    bare.push(found[2] ?? '');
  }
  const rest = lines.slice(bare.length).join('\n').trim();
  // One line that looks numbered, with others that do not, is no listing.
  if (rest !== '' && bare.length < Math.min(3, lines.length - 1)) {
    return { text, start: null, note: null };
  }
  const note = [rest, inner?.[2]?.trim() ?? ''].filter(Boolean).join('\n');
  return { text: bare.join('\n'), start, note: note === '' ? null : note };
}
