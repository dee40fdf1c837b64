/** What the dialog holds, and the requests that it stands for. Pure. */
import type { CreateSession, GitCloneRequest, PermissionPolicy } from 'sandbox-agent-client';
import { readOptions } from './agent-options.ts';

export interface Pair {
  /** Of this page: rows keep their fields when others go. */
  key: number;
  name: string;
  value: string;
}

export interface McpServerDraft {
  key: number;
  kind: 'stdio' | 'http' | 'sse';
  name: string;
  /** The command line, or the URL. */
  target: string;
  /** `NAME=value` lines: the environment of a program, the headers of a URL. */
  extra: string;
}

export type RuleSubject = 'command' | 'path' | 'toolName' | 'toolKind';

export interface RuleDraft {
  key: number;
  action: 'allow' | 'deny' | 'ask';
  subject: RuleSubject;
  pattern: string;
}

export interface SessionDraft {
  agent: string;
  prompt: string;
  cwd: string;
  model: string;
  mode: string;
  thoughtLevel: string;
  title: string;
  systemPrompt: string;
  cloneUrl: string;
  cloneRef: string;
  files: readonly File[];
  env: readonly Pair[];
  metadata: readonly Pair[];
  mcpServers: readonly McpServerDraft[];
  skills: string;
  hasPolicy: boolean;
  policyDefault: 'allow' | 'deny' | 'ask';
  rules: readonly RuleDraft[];
  timeoutMinutes: string;
  trustWorkspace: 'default' | 'yes' | 'no';
  additionalDirectories: string;
  baseUrl: string;
  agentOptions: Readonly<Record<string, string>>;
}

export const EMPTY_DRAFT: SessionDraft = {
  agent: '',
  prompt: '',
  cwd: '',
  model: '',
  mode: '',
  thoughtLevel: '',
  title: '',
  systemPrompt: '',
  cloneUrl: '',
  cloneRef: '',
  files: [],
  env: [],
  metadata: [],
  mcpServers: [],
  skills: '',
  hasPolicy: false,
  policyDefault: 'ask',
  rules: [],
  timeoutMinutes: '60',
  trustWorkspace: 'default',
  additionalDirectories: '',
  baseUrl: '',
  agentOptions: {},
};

/** Field of the dialog -> what is wrong with it. */
export type FieldProblems = Readonly<Record<string, string>>;

export interface SkillRequest {
  name: string;
  source: { type: 'github' | 'git' | 'local'; source: string };
}

export interface SessionPlan {
  clone: GitCloneRequest | null;
  skills: readonly SkillRequest[];
  body: CreateSession;
  prompt: string;
  problems: FieldProblems;
}

const lines = (text: string) =>
  text
    .split('\n')
    .map((each) => each.trim())
    .filter((each) => each !== '');

/** A command line in words, with the quotes of a shell and nothing else of it. */
export function wordsOf(command: string): string[] {
  const words = command.match(/(?:[^\s"']|"(?:\\.|[^"\\])*"|'[^']*')+/g) ?? [];
  return words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'/g, (_all, double?: string, single?: string) =>
      double === undefined ? (single ?? '') : double.replace(/\\(.)/g, '$1'),
    ),
  );
}

function namedValues(text: string): { name: string; value: string }[] | null {
  const found = lines(text).map((line) => /^([^=:\s]+)\s*[=:]\s*(.*)$/.exec(line));
  return found.every((each) => each !== null)
    ? found.map((each) => ({ name: each?.[1] ?? '', value: each?.[2] ?? '' }))
    : null;
}

function mcpServer(
  draft: McpServerDraft,
): { server: Record<string, unknown> } | { problem: string } {
  const name = draft.name.trim();
  const target = draft.target.trim();
  if (name === '' || target === '') {
    return { problem: draft.kind === 'stdio' ? 'A name and a command' : 'A name and a URL' };
  }
  const extra = namedValues(draft.extra);
  if (extra === null) {
    return { problem: 'One NAME=value on each line' };
  }
  if (draft.kind === 'stdio') {
    const [command = '', ...args] = wordsOf(target);
    return { server: { name, command, args, env: extra } };
  }
  if (!/^https?:\/\//.test(target)) {
    return { problem: 'A URL begins with http:// or https://' };
  }
  return { server: { type: draft.kind, name, url: target, headers: extra } };
}

export function skillOf(source: string): SkillRequest {
  const type =
    /^(https?:\/\/|git@|ssh:\/\/)/.test(source) || source.endsWith('.git')
      ? 'git'
      : /^[./~]/.test(source)
        ? 'local'
        : 'github';
  const last = source
    .replace(/[@#].*$/, '')
    .replace(/\.git$|\/+$/g, '')
    .split(/[/:]/)
    .at(-1);
  return {
    name: (last ?? '').toLowerCase().replace(/[^a-z0-9-]+/g, '-') || 'skills',
    source: { type, source },
  };
}

function policyOf(draft: SessionDraft, problems: Record<string, string>): PermissionPolicy {
  const minutes = Number(draft.timeoutMinutes);
  if (!(minutes > 0)) {
    problems.timeoutMinutes = 'A number of minutes, more than none';
  }
  draft.rules.forEach((rule, index) => {
    if (rule.pattern.trim() === '') {
      problems[`rules.${index}`] = 'What it applies to: `*` stands for anything';
    }
  });
  return {
    default: draft.policyDefault,
    rules: draft.rules.map((rule) => ({
      action: rule.action,
      [rule.subject]: rule.pattern.trim(),
    })),
    ...(minutes > 0 ? { timeoutS: minutes * 60 } : {}),
  };
}

/** Text of a pair of metadata: JSON where it is JSON, else text. */
function metadataValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function pairs(
  all: readonly Pair[],
  field: string,
  problems: Record<string, string>,
): readonly Pair[] {
  const given = all.filter((each) => each.name.trim() !== '' || each.value !== '');
  const names = given.map((each) => each.name.trim());
  all.forEach((each, index) => {
    const name = each.name.trim();
    if (name === '' && each.value !== '') {
      problems[`${field}.${index}`] = 'It needs a name';
    } else if (name !== '' && names.filter((other) => other === name).length > 1) {
      problems[`${field}.${index}`] = 'This name is there twice';
    }
  });
  return given;
}

/** Only what was chosen is sent: what is left alone is the server's or the agent's own choice. */
export function planOf(draft: SessionDraft, optionsSchema: unknown): SessionPlan {
  const problems: Record<string, string> = {};
  if (draft.agent === '') {
    problems.agent = 'Choose an agent';
  }
  const cwd = draft.cwd.trim();
  const body: CreateSession = { agent: draft.agent };
  if (cwd !== '') {
    body.cwd = cwd;
    if (!cwd.startsWith('/')) {
      problems.cwd = 'A whole path, which begins with /';
    }
  }
  const texts = {
    model: draft.model.trim(),
    mode: draft.mode.trim(),
    thoughtLevel: draft.thoughtLevel.trim(),
    title: draft.title.trim(),
    systemPrompt: draft.systemPrompt.trim(),
    baseUrl: draft.baseUrl.trim(),
  };
  for (const [name, value] of Object.entries(texts)) {
    if (value !== '') {
      body[name as keyof typeof texts] = value;
    }
  }
  const directories = lines(draft.additionalDirectories);
  if (directories.length > 0) {
    body.additionalDirectories = directories;
  }
  const env = pairs(draft.env, 'env', problems);
  if (env.length > 0) {
    body.env = Object.fromEntries(env.map((each) => [each.name.trim(), each.value]));
  }
  const metadata = pairs(draft.metadata, 'metadata', problems);
  if (metadata.length > 0) {
    body.metadata = Object.fromEntries(
      metadata.map((each) => [each.name.trim(), metadataValue(each.value)]),
    );
  }
  const servers: Record<string, unknown>[] = [];
  draft.mcpServers.forEach((each, index) => {
    const read = mcpServer(each);
    if ('problem' in read) {
      problems[`mcpServers.${index}`] = read.problem;
    } else {
      servers.push(read.server);
    }
  });
  if (servers.length > 0) {
    body.mcpServers = servers;
  }
  if (draft.hasPolicy) {
    body.permissionPolicy = policyOf(draft, problems);
  }
  if (draft.trustWorkspace !== 'default') {
    body.trustWorkspace = draft.trustWorkspace === 'yes';
  }
  const options = readOptions(optionsSchema, draft.agentOptions);
  for (const [name, problem] of Object.entries(options.problems)) {
    problems[`agentOptions.${name}`] = problem;
  }
  if (Object.keys(options.values).length > 0) {
    body.agentOptions = options.values;
  }
  const url = draft.cloneUrl.trim();
  const ref = draft.cloneRef.trim();
  const clone = url === '' ? null : { url, ...(cwd ? { path: cwd } : {}), ...(ref ? { ref } : {}) };
  return {
    clone,
    skills: lines(draft.skills).map(skillOf),
    body,
    prompt: draft.prompt.trim(),
    problems,
  };
}
