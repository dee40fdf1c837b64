import type { McpServerConfig } from 'sandbox-agent-client';
import { describe, expect, it } from 'vitest';
import { formOfMcp, mcpOfForm, NEW_MCP, problemsOfMcp, wordsOf } from '../../src/config/mcpForm.ts';
import {
  kindOfSource,
  NEW_SKILL,
  problemsOfSkill,
  skillsOfForm,
} from '../../src/config/skillForm.ts';

describe('the form of an MCP server', () => {
  it.each<McpServerConfig>([
    {
      type: 'local',
      command: 'npx',
      args: ['-y', 'a server', "it's"],
      env: { KEY: '${KEY}' },
      cwd: 'x',
    },
    { type: 'local', command: 'x', args: [], enabled: false, timeoutMs: 1500 },
    { type: 'remote', url: 'https://a.example/mcp', transport: 'sse', headers: { 'X-A': 'b' } },
    {
      type: 'remote',
      url: 'https://a.example/mcp',
      bearerTokenEnvVar: 'TOKEN',
      envHeaders: { 'X-B': 'B' },
      oauth: false,
    },
  ])('loses nothing of %j', (config) => {
    expect(mcpOfForm(formOfMcp('name', config))).toEqual(config);
  });

  it('says at which field it is wrong', () => {
    expect(Object.keys(problemsOfMcp(NEW_MCP)).sort()).toEqual(['command', 'name']);
    const remote = { ...NEW_MCP, name: 'a', kind: 'remote' as const };
    expect(problemsOfMcp({ ...remote, url: 'nothing' }).url).toBeDefined();
    expect(problemsOfMcp({ ...remote, url: 'ftp://a' }).url).toBeDefined();
    expect(problemsOfMcp({ ...remote, url: 'https://a' })).toEqual({});
    expect(
      problemsOfMcp({ ...remote, url: 'https://a', headers: [{ name: 'a b', value: '' }] }).headers,
    ).toBeDefined();
    const local = { ...NEW_MCP, name: 'a', command: 'x' };
    expect(problemsOfMcp({ ...local, args: '"open' }).args).toBeDefined();
    expect(problemsOfMcp({ ...local, env: [{ name: '1A', value: '' }] }).env).toBeDefined();
    expect(problemsOfMcp({ ...local, timeoutS: 'soon' }).timeoutS).toBeDefined();
  });

  it('takes arguments apart as a shell does', () => {
    expect(wordsOf(`-y "a b" 'c d' e\\ f ""`)).toEqual(['-y', 'a b', 'c d', 'e f', '']);
    expect(wordsOf("'open")).toBeNull();
  });

  it('keeps a name that objects have', () => {
    const form = { ...NEW_MCP, name: 'a', command: 'x', env: [{ name: '__proto__', value: 'v' }] };
    const made = mcpOfForm(form);
    expect(JSON.stringify(made)).toContain('"__proto__":"v"');
  });
});

describe('the form of skills', () => {
  it('knows what a source is', () => {
    expect(kindOfSource('owner/repo')).toBe('github');
    expect(kindOfSource('./skills')).toBe('local');
    expect(kindOfSource('/opt/skills')).toBe('local');
    expect(kindOfSource('https://git.example/x.git')).toBe('git');
    expect(kindOfSource('git@git.example:x.git')).toBe('git');
  });

  it('makes a body', () => {
    expect(problemsOfSkill(NEW_SKILL)).toEqual({
      name: expect.any(String),
      source: expect.any(String),
    });
    expect(
      skillsOfForm({ ...NEW_SKILL, name: 'a', source: 'o/r', ref: 'v2', skills: 'one, two' }),
    ).toEqual({ sources: [{ type: 'github', source: 'o/r', ref: 'v2', skills: ['one', 'two'] }] });
  });
});
