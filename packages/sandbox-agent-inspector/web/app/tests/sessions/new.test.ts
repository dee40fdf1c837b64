import { execFileSync } from 'node:child_process';
import type { AgentInfo } from 'sandbox-agent-client';
import { expect, test } from 'vitest';
import { orderedAgents } from '../../src/sessions/new/AgentPicker.tsx';
import { optionFields, optionLabel, readOptions } from '../../src/sessions/new/agent-options.ts';
import { readChoices, withChoice } from '../../src/sessions/new/choices.ts';
import { EMPTY_DRAFT, planOf, skillOf, wordsOf } from '../../src/sessions/new/draft.ts';
import { modeOptions } from '../../src/sessions/new/SettingsFields.tsx';
import { fieldsOfRefusal } from '../../src/sessions/new/server-problems.ts';
import { pythonLiteral, samplesOf } from '../../src/sessions/samples.ts';
import { shellQuoted } from '../../src/sessions/shell-quoting.ts';

const SCHEMA = {
  properties: {
    maxTurns: {
      anyOf: [{ minimum: 1, type: 'integer' }, { type: 'null' }],
      description: 'At most',
    },
    style: { anyOf: [{ enum: ['short', 'long'], type: 'string' }, { type: 'null' }] },
    tools: { anyOf: [{ items: { type: 'string' }, type: 'array' }, { type: 'null' }] },
    agents: { anyOf: [{ additionalProperties: {}, type: 'object' }, { type: 'null' }] },
    trusted: { anyOf: [{ type: 'boolean' }, { type: 'null' }], risky: true },
    prompt: { anyOf: [{ type: 'string' }, { type: 'object' }] },
    reply: { type: 'string' },
  },
};

const AGENT: AgentInfo = { id: 'mock', installed: true, permissionModes: ['ask', 'plan'] };

test('a draft that nobody touched asks for an agent, and for nothing else', () => {
  const plan = planOf({ ...EMPTY_DRAFT, agent: 'mock' }, null);
  expect(plan).toEqual({
    clone: null,
    skills: [],
    body: { agent: 'mock' },
    prompt: '',
    problems: {},
  });
  expect(planOf(EMPTY_DRAFT, null).problems).toEqual({ agent: 'Choose an agent' });
});

test('all that is written is sent as the API has it', () => {
  const plan = planOf(
    {
      ...EMPTY_DRAFT,
      agent: 'claude',
      prompt: ' Do it ',
      cwd: ' /work ',
      model: 'opus',
      mode: 'native:plan',
      thoughtLevel: 'high',
      title: 'T',
      cloneUrl: 'https://forge.example/a/b.git',
      cloneRef: 'main',
      env: [
        { key: 1, name: 'KEY', value: 'secret' },
        { key: 2, name: '', value: '' },
      ],
      metadata: [
        { key: 3, name: 'run', value: '7' },
        { key: 4, name: 'team', value: 'red panda' },
      ],
      mcpServers: [
        {
          key: 5,
          kind: 'stdio',
          name: 'docs',
          target: 'npx -y "my server"',
          extra: 'A=1\nB = x=y',
        },
        {
          key: 6,
          kind: 'http',
          name: 'web',
          target: 'https://h/mcp',
          extra: 'Authorization: Bearer x',
        },
      ],
      skills: 'owner/repo\n./skills',
      hasPolicy: true,
      rules: [{ key: 7, action: 'allow', subject: 'command', pattern: 'git status*' }],
      timeoutMinutes: '10',
      trustWorkspace: 'no',
      agentOptions: { maxTurns: '5' },
    },
    SCHEMA,
  );
  expect(plan.problems).toEqual({});
  expect(plan.prompt).toBe('Do it');
  expect(plan.clone).toEqual({ url: 'https://forge.example/a/b.git', path: '/work', ref: 'main' });
  expect(plan.skills.map((each) => each.source.type)).toEqual(['github', 'local']);
  expect(plan.body).toEqual({
    agent: 'claude',
    cwd: '/work',
    model: 'opus',
    mode: 'native:plan',
    thoughtLevel: 'high',
    title: 'T',
    env: { KEY: 'secret' },
    metadata: { run: 7, team: 'red panda' },
    mcpServers: [
      {
        name: 'docs',
        command: 'npx',
        args: ['-y', 'my server'],
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: 'x=y' },
        ],
      },
      {
        type: 'http',
        name: 'web',
        url: 'https://h/mcp',
        headers: [{ name: 'Authorization', value: 'Bearer x' }],
      },
    ],
    permissionPolicy: {
      default: 'ask',
      rules: [{ action: 'allow', command: 'git status*' }],
      timeoutS: 600,
    },
    trustWorkspace: false,
    agentOptions: { maxTurns: 5 },
  });
});

test('what cannot be sent is said at its field', () => {
  const { problems } = planOf(
    {
      ...EMPTY_DRAFT,
      agent: 'mock',
      cwd: 'relative',
      env: [
        { key: 1, name: 'A', value: '1' },
        { key: 2, name: 'A', value: '2' },
        { key: 3, name: '', value: 'x' },
      ],
      mcpServers: [{ key: 4, kind: 'http', name: 'web', target: 'h/mcp', extra: '' }],
      hasPolicy: true,
      timeoutMinutes: '0',
      rules: [{ key: 5, action: 'deny', subject: 'path', pattern: ' ' }],
      agentOptions: { maxTurns: 'many', agents: '{' },
    },
    SCHEMA,
  );
  expect(Object.keys(problems).sort()).toEqual([
    'agentOptions.agents',
    'agentOptions.maxTurns',
    'cwd',
    'env.0',
    'env.1',
    'env.2',
    'mcpServers.0',
    'rules.0',
    'timeoutMinutes',
  ]);
});

test('fields of an agent come from its schema', () => {
  expect(optionFields(SCHEMA).map((each) => [each.name, each.kind])).toEqual([
    ['maxTurns', 'number'],
    ['style', 'choice'],
    ['tools', 'list'],
    ['agents', 'json'],
    ['trusted', 'boolean'],
    ['prompt', 'json'],
    ['reply', 'text'],
  ]);
  expect(optionFields('nonsense')).toEqual([]);
  expect(optionLabel('maxBudgetUsd')).toBe('Max budget usd');
  expect(readOptions(SCHEMA, { tools: 'a, b\nc', trusted: 'false', reply: '', gone: 'x' })).toEqual(
    {
      values: { tools: ['a', 'b', 'c'], trusted: false },
      problems: {},
    },
  );
});

test.each([
  [
    { detail: 'x', details: { errors: [{ where: 'env.A', message: 'a string' }] } },
    { env: 'a string' },
  ],
  [
    {
      detail: 'x',
      details: { errors: [{ where: 'permissionPolicy.rules.1.action', message: 'm' }] },
    },
    { 'rules.1': 'm' },
  ],
  [
    { detail: 'x', details: { errors: [{ where: 'agentOptions.maxTurns', message: 'm' }] } },
    { 'agentOptions.maxTurns': 'm' },
  ],
  [{ detail: 'no such', details: { cwd: '/nope' } }, { cwd: 'no such' }],
  [{ detail: '`model` is none of its', details: {} }, { model: '`model` is none of its' }],
  [{ detail: 'It is late', details: {} }, { general: 'It is late' }],
])('a refusal goes to its field: %o', (refusal, expected) => {
  expect(fieldsOfRefusal(refusal)).toEqual(expected);
});

test('agents that are ready come first, and their own modes have a prefix where names are the same', () => {
  const agent = (id: string, more: Partial<AgentInfo>): AgentInfo => ({
    id,
    installed: true,
    ...more,
  });
  const agents = [
    agent('mock', { credentialsAvailable: true }),
    agent('gone', { installed: false }),
    agent('poor', { credentialsAvailable: false }),
    agent('ready', { credentialsAvailable: true }),
  ];
  expect(orderedAgents(agents).map((each) => each.id)).toEqual(['ready', 'poor', 'mock', 'gone']);
  const modes = modeOptions(AGENT, [
    { id: 'plan', name: 'Plan' },
    { id: 'yolo', name: 'Yolo' },
    { bad: 1 },
  ]);
  expect(modes.map((each) => each.id)).toEqual(['ask', 'plan', 'native:plan', 'yolo']);
});

test('the last choices are kept per agent, and anything else stored is dropped', () => {
  const one = withChoice(readChoices(null), { ...EMPTY_DRAFT, agent: 'a', model: 'm' }, '/one');
  const two = withChoice(one, { ...EMPTY_DRAFT, agent: 'b' }, '/two');
  expect(two.folders).toEqual(['/two', '/one']);
  expect(two.settings.a?.model).toBe('m');
  expect(readChoices(JSON.parse(JSON.stringify(two)))).toEqual(two);
  expect(readChoices({ agent: 1, folders: [2, '/x'], settings: { a: 'no' } })).toEqual({
    agent: '',
    cwd: '',
    folders: ['/x'],
    settings: {},
  });
});

test('command lines and sources of skills are read as people write them', () => {
  expect(wordsOf(`a 'b c' "d \\"e" f\\ g=h`)).toEqual(['a', 'b c', 'd "e', 'f\\', 'g=h']);
  expect(skillOf('https://forge.example/me/Nice Skills.git').source.type).toBe('git');
  expect(skillOf('owner/repo/path@v1')).toEqual({
    name: 'path',
    source: { type: 'github', source: 'owner/repo/path@v1' },
  });
});

const HOSTILE = `it's "$(touch x)" \`id\` \\ \n \u2028 \u{1f600} ü`;

test('what a shell makes of the command is what the dialog sends', () => {
  const body = { agent: 'mock', title: HOSTILE, env: { MY_KEY: 'secret' } };
  const samples = samplesOf('http://127.0.0.1:1', {
    clone: null,
    skills: [],
    body,
    prompt: HOSTILE,
  });
  const curl = samples.find((each) => each.id === 'curl')?.code ?? '';
  expect(curl).not.toContain('secret');
  // A shell function in place of curl prints what it would send.
  const script = `curl() { while [ $# -gt 0 ]; do [ "$1" = -d ] && printf '%s\\0' "$2" >> "$OUT"; shift; done; echo '{"id":"s"}'; }
jq() { echo s; }
${curl}
cat "$OUT"`;
  const sent = execFileSync(
    'bash',
    ['-c', `OUT=$(mktemp); export OUT; trap 'rm -f "$OUT"' EXIT\n${script}`],
    {
      env: { ...process.env, MY_KEY: 'from-env', SANDBOX_AGENT_TOKEN: 't' },
      encoding: 'utf8',
    },
  );
  const bodies = sent
    .slice(sent.indexOf('{"agent"'))
    .split('\u0000')
    .filter((each) => each.startsWith('{'))
    .map((each) => JSON.parse(each));
  expect(bodies).toEqual([
    { agent: 'mock', title: HOSTILE, env: { MY_KEY: 'from-env' } },
    { text: HOSTILE },
  ]);
});

test('what Python reads is what the dialog sends', () => {
  const value = { a: [HOSTILE, null, true, 1.5], long: 'x'.repeat(100), nested: { b: [] } };
  const read = execFileSync(
    'python3',
    ['-c', `import json; print(json.dumps(${pythonLiteral(value)}))`],
    { encoding: 'utf8' },
  );
  expect(JSON.parse(read)).toEqual(value);
  const [python] = samplesOf('http://h', {
    clone: { url: 'https://forge.example/a', path: '/w' },
    skills: [skillOf('o/r')],
    body: {
      agent: 'mock',
      cwd: '/w',
      title: HOSTILE,
      permissionPolicy: { default: 'ask', rules: [] },
    },
    prompt: HOSTILE,
  });
  execFileSync('python3', ['-c', 'import ast,sys; ast.parse(sys.argv[1])', python?.code ?? '(']);
});

test('the command line names what it has no option for', () => {
  const samples = samplesOf('http://h', {
    clone: null,
    skills: [],
    body: { agent: 'mock', cwd: '/a b', thoughtLevel: 'high', agentOptions: { reply: 'x' } },
    prompt: 'Hi',
  });
  const cli = samples.find((each) => each.id === 'cli');
  expect(cli?.code).toContain(`--cwd ${shellQuoted('/a b')}`);
  expect(cli?.code).toContain('--agent-option reply=x');
  expect(cli?.note).toContain('thoughtLevel');
});
