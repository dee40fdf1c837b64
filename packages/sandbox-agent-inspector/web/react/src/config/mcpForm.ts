import type { McpServerConfig } from 'sandbox-agent-client';

export interface Pair {
  name: string;
  value: string;
}

/** A server as a person writes it into a form. */
export interface McpForm {
  name: string;
  kind: 'local' | 'remote';
  command: string;
  /** As one would type them, with quotes where a word has spaces. */
  args: string;
  cwd: string;
  env: readonly Pair[];
  url: string;
  transport: 'http' | 'sse';
  headers: readonly Pair[];
  bearerTokenEnvVar: string;
  isEnabled: boolean;
  timeoutS: string;
  /** What the form has no field for, kept as it is. */
  rest: Readonly<Record<string, unknown>>;
}

export type McpField =
  | 'name'
  | 'command'
  | 'args'
  | 'url'
  | 'env'
  | 'headers'
  | 'timeoutS'
  | 'json';
export type McpProblems = Partial<Record<McpField, string>>;

export const NEW_MCP: McpForm = {
  name: '',
  kind: 'local',
  command: '',
  args: '',
  cwd: '',
  env: [],
  url: '',
  transport: 'http',
  headers: [],
  bearerTokenEnvVar: '',
  isEnabled: true,
  timeoutS: '',
  rest: {},
};

export function formOfMcp(name: string, config: McpServerConfig): McpForm {
  const shared = {
    ...NEW_MCP,
    name,
    isEnabled: config.enabled !== false,
    timeoutS: config.timeoutMs == null ? '' : String(config.timeoutMs / 1000),
  };
  if (config.type === 'remote') {
    const { envHeaders, oauth } = config;
    return {
      ...shared,
      kind: 'remote',
      url: config.url,
      transport: config.transport ?? 'http',
      headers: pairsOf(config.headers),
      bearerTokenEnvVar: config.bearerTokenEnvVar ?? '',
      rest: { ...(envHeaders != null && { envHeaders }), ...(oauth != null && { oauth }) },
    };
  }
  return {
    ...shared,
    command: config.command,
    args: (config.args ?? []).map(quotedWord).join(' '),
    cwd: config.cwd ?? '',
    env: pairsOf(config.env),
  };
}

/** Why a form cannot be saved, by its fields. */
export function problemsOfMcp(form: McpForm): McpProblems {
  const problems: McpProblems = {};
  if (form.name.trim() === '') problems.name = 'Give it a name.';
  else if (form.name.length > 64) problems.name = 'A name has at most 64 characters.';
  if (form.timeoutS.trim() !== '') {
    const seconds = Number(form.timeoutS);
    if (!Number.isFinite(seconds) || seconds <= 0) problems.timeoutS = 'Type seconds, such as 30.';
  }
  if (form.kind === 'remote') {
    if (!URL.canParse(form.url)) problems.url = 'Type an address, such as https://host/mcp.';
    else if (!/^https?:$/.test(new URL(form.url).protocol))
      problems.url = 'The address begins with http:// or https://.';
    const wrong = form.headers.find(({ name }) => !/^[!#$%&'*+\-.^_`|~\w]+$/.test(name));
    if (wrong) problems.headers = `“${wrong.name}” is no name of a header.`;
  } else {
    if (form.command.trim() === '') problems.command = 'Type the program.';
    if (wordsOf(form.args) === null) problems.args = 'A quote is not closed.';
    const wrong = form.env.find(({ name }) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
    if (wrong) problems.env = `“${wrong.name}” is no name of a variable.`;
  }
  return problems;
}

/** The body of a form without problems. */
export function mcpOfForm(form: McpForm): McpServerConfig {
  const shared = {
    ...(form.isEnabled ? {} : { enabled: false }),
    ...(form.timeoutS.trim() === '' ? {} : { timeoutMs: Math.round(Number(form.timeoutS) * 1000) }),
  };
  if (form.kind === 'remote')
    return {
      ...form.rest,
      ...shared,
      type: 'remote',
      url: form.url.trim(),
      ...(form.transport === 'sse' ? { transport: 'sse' } : {}),
      ...(form.headers.length > 0 ? { headers: recordOf(form.headers) } : {}),
      ...(form.bearerTokenEnvVar.trim() === ''
        ? {}
        : { bearerTokenEnvVar: form.bearerTokenEnvVar.trim() }),
    };
  return {
    ...shared,
    type: 'local',
    command: form.command.trim(),
    args: wordsOf(form.args) ?? [],
    ...(form.cwd.trim() === '' ? {} : { cwd: form.cwd.trim() }),
    ...(form.env.length > 0 ? { env: recordOf(form.env) } : {}),
  };
}

/** Words as a shell takes them apart, without its variables; null when a quote is not closed. */
export function wordsOf(text: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? '';
    if (quote !== null) {
      if (letter === quote) quote = null;
      else if (letter === '\\' && quote === '"' && /["\\]/.test(text[at + 1] ?? ''))
        word = (word ?? '') + text[++at];
      else word = (word ?? '') + letter;
    } else if (letter === '"' || letter === "'") {
      quote = letter;
      word ??= '';
    } else if (letter === '\\' && at + 1 < text.length) word = (word ?? '') + text[++at];
    else if (/\s/.test(letter)) {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? '') + letter;
  }
  if (quote !== null) return null;
  if (word !== null) words.push(word);
  return words;
}

function quotedWord(word: string): string {
  return word !== '' && /^[^\s"'\\]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function pairsOf(record: Readonly<Record<string, string>> | null | undefined): Pair[] {
  return Object.entries(record ?? {}).map(([name, value]) => ({ name, value }));
}

/** Own keys only, whatever a name is: `__proto__` is a name like others. */
function recordOf(pairs: readonly Pair[]): Record<string, string> {
  return Object.fromEntries(pairs.map(({ name, value }) => [name.trim(), value]));
}
