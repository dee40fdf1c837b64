/** A word for a POSIX shell, or for bash if it has control characters, which no terminal shall get to see. */
export function shellQuoted(word: string): string {
  if (word !== '' && /^[\w@%+=:,./-]+$/.test(word)) return word;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (!/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(word)) {
    return `'${word.replaceAll("'", "'\\''")}'`;
  }
  const escaped = [...word].map((char) => {
    if (char === "'" || char === '\\') return `\\${char}`;
    const code = char.codePointAt(0) ?? 0;
    if (code >= 0x20 && code < 0x7f) return char;
    return code > 0xffff
      ? `\\U${code.toString(16).padStart(8, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `$'${escaped.join('')}'`;
}

export interface CurlRequest {
  readonly method?: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | null;
}

const SECRET_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'x-sandbox-agent-token',
]);

/** The request as a command. The token is a variable in it: what is copied gets pasted into tickets. */
export function curlCommand(request: CurlRequest): string {
  const words = ['curl'];
  const method = request.method ?? 'GET';
  const body = request.body ?? null;
  if (method !== (body === null ? 'GET' : 'POST')) words.push('-X', shellQuoted(method));
  words.push('-H', '"Authorization: Bearer $SANDBOX_AGENT_TOKEN"');
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    if (!SECRET_HEADERS.has(name.toLowerCase())) words.push('-H', shellQuoted(`${name}: ${value}`));
  }
  if (body !== null) words.push('--data-raw', shellQuoted(body));
  words.push(shellQuoted(request.url));
  return words.join(' ');
}
