/** The same session from Python, from a shell and from the command line: exactly what the dialog would send. Pure. */
import type { CreateSession } from 'sandbox-agent-client';
import type { SessionPlan } from './new/draft.ts';
import { shellQuoted } from './shell-quoting.ts';

export interface CodeSample {
  id: 'python' | 'curl' | 'cli';
  label: string;
  code: string;
  /** What it leaves out, and what to do about it. */
  note?: string;
}

type Sampled = Pick<SessionPlan, 'clone' | 'skills' | 'body' | 'prompt'>;

const TOKEN = 'SANDBOX_AGENT_TOKEN';

/** Code that is in place of a value. */
class Code {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A JSON value as Python writes it. */
export function pythonLiteral(value: unknown, indent = 0): string {
  if (value === null || value === undefined) {
    return 'None';
  }
  if (value instanceof Code) {
    return value.text;
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  if (typeof value === 'string') {
    // JSON's escapes are Python's, and the signs that it leaves as they are may stand so in Python, too.
    return JSON.stringify(value);
  }
  if (typeof value !== 'object') {
    return String(value);
  }
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((each) => pythonLiteral(each, indent + 4))
    : Object.entries(value).map(
        ([name, each]) => `${JSON.stringify(name)}: ${pythonLiteral(each, indent + 4)}`,
      );
  const [open, close] = isList ? ['[', ']'] : ['{', '}'];
  const line = open + items.join(', ') + close;
  if (line.length + indent <= 88 && !line.includes('\n')) {
    return line;
  }
  const pad = ' '.repeat(indent + 4);
  return `${open}\n${items.map((each) => `${pad}${each},\n`).join('')}${' '.repeat(indent)}${close}`;
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Values of the environment are secrets: code names the variable that has one. */
function withoutSecrets(body: CreateSession, code: (name: string) => Code): CreateSession {
  if (!body.env) {
    return body;
  }
  const env = Object.fromEntries(Object.keys(body.env).map((name) => [name, code(name)]));
  return { ...body, env: env as unknown as Record<string, string> };
}

function call(name: string, first: string, given: readonly [string, unknown][]): string {
  const parts = [first, ...given.map(([key, value]) => `${key}=${pythonLiteral(value, 8)}`)];
  const line = `${name}(${parts.join(', ')})`;
  return line.length <= 84 && !line.includes('\n')
    ? line
    : `${name}(\n${parts.map((each) => `        ${each},\n`).join('')}    )`;
}

function python(url: string, { clone, skills, body, prompt }: Sampled): string {
  const { agent, ...rest } = withoutSecrets(
    body,
    (name) => new Code(`os.environ[${JSON.stringify(name)}]`),
  );
  const code: string[] = [];
  let given: [string, unknown][] = Object.entries(rest).map(([key, value]) => [snake(key), value]);
  if (clone) {
    const { url: from, path, ref } = clone;
    const where: [string, unknown][] = [
      ...(path ? [['path', path] as [string, unknown]] : []),
      ...(ref ? [['ref', ref] as [string, unknown]] : []),
    ];
    code.push(`repository = ${call('client.git.clone', pythonLiteral(from), where)}`);
    given = [['cwd', new Code('repository.path')], ...given.filter(([key]) => key !== 'cwd')];
  }
  const directory = clone ? 'repository.path' : pythonLiteral(body.cwd ?? '.');
  for (const { name, source } of skills) {
    const sources = pythonLiteral({ sources: [source] });
    code.push(`client.config.skills.set(${directory}, ${pythonLiteral(name)}, ${sources})`);
  }
  code.push(`session = ${call('client.create_session', pythonLiteral(agent), given)}`);
  code.push(prompt ? `print(session.prompt(${pythonLiteral(prompt)}).text)` : 'print(session.id)');
  return [
    'import os',
    '',
    'from sandbox_agent_client import SandboxAgentSync',
    '',
    'with SandboxAgentSync.connect(',
    `    ${pythonLiteral(url)}, token=os.environ["${TOKEN}"]`,
    ') as client:',
    ...code.map((each) => `    ${each}`),
  ].join('\n');
}

/** JSON for a shell's single quotes; where a variable stands, the quotes are left for it. */
function shellJson(value: unknown): string {
  const variables: string[] = [];
  const text = JSON.stringify(value, (_key, each: unknown) => {
    if (each instanceof Code) {
      variables.push(each.text);
      return `\u0000${variables.length - 1}\u0000`;
    }
    return each;
  });
  const quoted = `'${text.replaceAll("'", `'\\''`)}'`;
  return quoted.replace(/\\u0000(\d+)\\u0000/g, (_all, index: string) => {
    return `'"$${variables[Number(index)] ?? ''}"'`;
  });
}

function request(method: string, address: string, json: unknown): string {
  return [
    `curl -sS -X ${method} ${address}`,
    `-H "Authorization: Bearer $${TOKEN}"`,
    "-H 'Content-Type: application/json'",
    `-d ${shellJson(json)}`,
  ].join(' \\\n  ');
}

function curl(url: string, { clone, skills, body, prompt }: Sampled): string {
  const code: string[] = [];
  const sent: Record<string, unknown> = {
    ...withoutSecrets(body, (name) => new Code(name)),
  };
  if (clone) {
    code.push(`DIR=$(${request('POST', shellQuoted(`${url}/v1/git/clone`), clone)} | jq -r .path)`);
    sent.cwd = new Code('DIR');
  }
  for (const { name, source } of skills) {
    const directory = clone ? '$DIR' : (body.cwd ?? '.');
    const query = `directory=${clone ? directory : encodeURIComponent(directory)}&skillName=${encodeURIComponent(name)}`;
    code.push(request('PUT', `"${url}/v1/config/skills?${query}"`, { sources: [source] }));
  }
  const create = request('POST', shellQuoted(`${url}/v1/sessions`), sent);
  if (!prompt) {
    return [...code, create].join('\n');
  }
  code.push(`SESSION=$(${create} | jq -r .id)`);
  code.push(request('POST', `"${url}/v1/sessions/$SESSION/prompt"`, { text: prompt }));
  return code.join('\n');
}

/** What the command line has an option for; all else is named, not left out in silence. */
function cli(url: string, { clone, skills, body, prompt }: Sampled): CodeSample {
  const words = ['sandbox-agent run'];
  const option = (name: string, value: string) => words.push(`${name} ${shellQuoted(value)}`);
  const known = new Set(['agent', 'cwd', 'model', 'mode', 'env', 'trustWorkspace', 'agentOptions']);
  option('--url', url);
  option('--agent', body.agent);
  if (body.cwd) {
    option('--cwd', body.cwd);
  }
  if (body.model) {
    option('--model', body.model);
  }
  if (body.mode) {
    option('--mode', body.mode);
  }
  for (const name of Object.keys(body.env ?? {})) {
    option('--env', name);
  }
  for (const directory of body.additionalDirectories ?? []) {
    option('--add-dir', directory);
  }
  known.add('additionalDirectories');
  if (typeof body.baseUrl === 'string') {
    option('--base-url', body.baseUrl);
    known.add('baseUrl');
  }
  if (body.trustWorkspace != null) {
    words.push(body.trustWorkspace ? '--trust-workspace' : '--no-trust-workspace');
  }
  for (const [name, value] of Object.entries(body.agentOptions ?? {})) {
    option(
      '--agent-option',
      `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
  }
  words.push(shellQuoted(prompt || '…'));
  const missing = [
    ...(clone ? ['the clone'] : []),
    ...(skills.length > 0 ? ['skills'] : []),
    ...Object.keys(body).filter((name) => !known.has(name)),
  ];
  const note =
    missing.length > 0 ? `The command line has no option for: ${missing.join(', ')}.` : undefined;
  return { id: 'cli', label: 'CLI', code: words.join(' \\\n  '), ...(note ? { note } : {}) };
}

export function samplesOf(url: string, plan: Sampled, note?: string): readonly CodeSample[] {
  const noted = note ? { note } : {};
  return [
    { id: 'python', label: 'Python', code: python(url, plan), ...noted },
    { id: 'curl', label: 'curl', code: curl(url, plan), ...noted },
    cli(url, plan),
  ];
}
