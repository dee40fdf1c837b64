/** A command as one would type it: what a shell would take apart is quoted. */
export function writtenCommand(command: string, args: readonly string[]): string {
  const [first, second] = args;
  const isShell = /(^|\/)(ba|z|da)?sh$/.test(command);
  if (isShell && args.length === 2 && second !== undefined && /^-l?c$/.test(first ?? ''))
    return second;
  return [command, ...args].map(quoted).join(' ');
}

function quoted(word: string): string {
  return word !== '' && /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `NAME=value` lines as an environment; throws with the line that is none. */
export function environmentOf(text: string): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const found = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line);
    if (!found?.[1]) throw new Error(`Line ${index + 1} is not NAME=value.`);
    const value = found[2] ?? '';
    const unquoted = /^"(.*)"$|^'(.*)'$/.exec(value);
    environment[found[1]] = unquoted ? (unquoted[1] ?? unquoted[2] ?? '') : value;
  }
  return environment;
}
