/** The same session from Python, from a shell and from the command line: exactly what the dialog would send. Pure. */
import type { CreateSession } from 'sandbox-agent-client';
import { shellQuoted } from './shell-quoting.ts';

export interface CodeSample {
  id: 'python' | 'curl' | 'cli';
  label: string;
  code: string;
  /** What it leaves out, and why. */
  note?: string;
}

const TOKEN = 'SANDBOX_AGENT_TOKEN';

/** A JSON value as Python writes it. */
export function pythonLiteral(value: unknown, indent = 0): string {
  const pad = ' '.repeat(indent + 4);
  if (value === null || value === undefined) {
    return 'None';
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  if (typeof value === 'string') {
    // JSON's escapes are Python's, but for signs beyond the 16th bit, which JSON.stringify leaves as they are.
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    const items = value.map((each) => pythonLiteral(each, indent + 4));
    const line = `[${items.join(', ')}]`;
    return line.length <= 72
      ? line
      : `[\n${items.map((each) => `${pad}${each},\n`).join('')}${' '.repeat(indent)}]`;
  }
  if (typeof value === 'object') {
    const items = Object.entries(value).map(
      ([name, each]) => `${JSON.stringify(name)}: ${pythonLiteral(each, indent + 4)}`,
    );
    const line = `{${items.join(', ')}}`;
    return line.length <= 72
      ? line
      : `{\n${items.map((each) => `${pad}${each},\n`).join('')}${' '.repeat(indent)}}`;
  }
  return String(value);
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function python(url: string, body: CreateSession, prompt: string): string {
  const { agent, ...rest } = body;
  const given = Object.entries(rest).map(
    ([name, value]) => `        ${snake(name)}=${pythonLiteral(value, 8)},\n`,
  );
  const call =
    given.length > 0
      ? `client.create_session(\n        ${pythonLiteral(agent)},\n${given.join('')}    )`
      : `client.create_session(${pythonLiteral(agent)})`;
  const then = prompt
    ? `    print(session.prompt(${pythonLiteral(prompt)}).text)`
    : '    print(session.id)';
  return [
    'import os',
    '',
    'from sandbox_agent_client import SandboxAgentSync',
    '',
    'with SandboxAgentSync.connect(',
    `    ${pythonLiteral(url)}, token=os.environ["${TOKEN}"]`,
    ') as client:',
    `    session = ${call}`,
    then,
  ].join('\n');
}

function curl(url: string, body: CreateSession, prompt: string): string {
  const post = (path: string, json: unknown) => [
    `curl -sS ${path}`,
    `-H "Authorization: Bearer $${TOKEN}"`,
    "-H 'Content-Type: application/json'",
    `-d ${shellQuoted(JSON.stringify(json))}`,
  ];
  const create = post(`${url}/v1/sessions`, body).join(' \\\n  ');
  if (!prompt) {
    return create;
  }
  const session = `SESSION=$(${create} | jq -r .id)`;
  const say = post(`"${url}/v1/sessions/$SESSION/prompt"`, { text: prompt }).join(' \\\n  ');
  return `${session}\n${say}`;
}

export function samplesOf(url: string, body: CreateSession, prompt: string): readonly CodeSample[] {
  return [
    { id: 'python', label: 'Python', code: python(url, body, prompt) },
    { id: 'curl', label: 'curl', code: curl(url, body, prompt) },
  ];
}
