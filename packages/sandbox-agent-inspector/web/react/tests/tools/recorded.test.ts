import { readFileSync } from 'node:fs';
import type { PlanItem, ToolItem } from 'sandbox-agent-client';
import { commandOutput, describeTool, plainText, toolParts } from 'sandbox-agent-react';
import { describe, expect, it } from 'vitest';

const recorded: Record<string, (ToolItem | PlanItem)[]> = JSON.parse(
  readFileSync(new URL('./recorded-calls.json', import.meta.url), 'utf8'),
);
const turn = { startedAt: '2026-11-23T12:00:00Z', endedAt: '2026-11-23T12:01:00Z' };
const calls = Object.entries(recorded).flatMap(([name, items]) =>
  items.flatMap((item) => (item.type === 'tool' ? [{ name, item }] : [])),
);

/** What was recorded of one agent in one scene. */
function callsOf(name: string): ToolItem[] {
  return calls.filter((call) => call.name === name).map(({ item }) => item);
}

function bodyOf(item: ToolItem) {
  const summary = describeTool(item, { turn });
  return { summary, parts: toolParts(item, summary, null) };
}

describe('what real agents send of their calls', () => {
  it('has a header that says what it is, and a body that is not empty', () => {
    expect(calls.length).toBeGreaterThan(90);
    for (const { name, item } of calls) {
      const { summary, parts } = bodyOf(item);
      expect(summary.verb, name).not.toBe('Tool');
      // A plan is ready, and a tool of which nothing is known has its name.
      if (summary.sort !== 'mode' && summary.sort !== 'other')
        expect(summary.object.trim(), item.title).not.toBe('');
      expect(parts.length, name).toBeGreaterThan(0);
    }
  });

  it('is shown as JSON only where nobody knows its shape', () => {
    const shapeless = calls.filter(({ item }) =>
      bodyOf(item).parts.some((one) => one.type === 'value'),
    );
    const sorts = new Set(shapeless.map(({ item }) => describeTool(item).sort));
    expect([...sorts].sort()).toEqual(['mcp', 'other']);
  });

  it.each([
    ['claude-latest/tool-allow', 'touch made-by-tool && echo made'],
    ['claude-zed/tool-allow', 'touch made-by-tool && echo made'],
    ['codex-new/tool-allow', 'touch made-by-tool && echo made'],
    ['codex-zed/tool-allow', 'touch made-by-tool && echo made'],
    ['copilot/tool-allow', 'touch made-by-tool && echo made'],
    ['gemini/tool-allow', 'touch made-by-tool && echo made'],
    ['opencode/tool-allow', 'touch made-by-tool && echo made'],
    ['pi/tool-allow', 'touch made-by-tool && echo made'],
    ['native-claude/tool-allow', 'touch made-by-tool && echo made'],
    ['native-codex/command-allow', 'touch made-by-tool && echo made'],
    ['native-pi/tool-allow', 'touch made; echo made'],
  ])('has its command line in %s', (name, command) => {
    expect(callsOf(name).map((item) => describeTool(item).object)).toEqual([command]);
  });

  it.each([
    'claude-latest/tool-allow',
    'claude-zed/tool-allow',
    'codex-new/tool-allow',
    'codex-zed/tool-allow',
    'opencode/tool-allow',
    'pi/tool-allow',
    'qwen/tool-allow',
    'native-claude/tool-allow',
    'native-codex/command-allow',
    'native-pi/tool-allow',
  ])('has what the command printed, and nothing else, in %s', (name) => {
    expect(callsOf(name).map((item) => plainText(commandOutput(item).text))).toEqual(['made']);
  });

  it('has all that was printed where the stream begins late', () => {
    const [call] = callsOf('native-codex/command-output');
    expect(call && commandOutput(call).text).toBe('out\nerr\n');
    expect(call && describeTool(call).exitCode).toBe(3);
  });

  it('says why where a call was not allowed, and calls it no output', () => {
    for (const name of [
      'claude-latest/tool-deny',
      'opencode/tool-deny',
      'native-claude/tool-deny',
    ]) {
      const [call] = callsOf(name);
      const types = call && bodyOf(call).parts.map(({ type }) => type);
      expect(
        types?.filter((type) => type !== 'command'),
        name,
      ).toEqual(['error']);
    }
  });

  it('has a diff of every edit, also of one that failed', () => {
    const edits = calls.filter(({ item }) => item.kind === 'edit');
    for (const { name, item } of edits) {
      const diffs = bodyOf(item).parts.filter((part) => part.type === 'diff');
      expect(diffs.length, name).toBeGreaterThan(0);
      expect(
        diffs.every((part) => part.isApplied === (item.status !== 'failed')),
        name,
      ).toBe(true);
    }
  });

  it('is a file with its numbers where one was read', () => {
    const parts = callsOf('native-claude/read').flatMap((item) => bodyOf(item).parts);
    const code = parts.find((part) => part.type === 'code');
    expect(code?.code).toEqual({ text: 'b', start: 2, note: null });
    expect(parts.some((part) => part.type === 'attachment')).toBe(true);
  });

  it('is a plan, questions with their answers, and steps', () => {
    const types = (name: string) => callsOf(name).flatMap((item) => bodyOf(item).parts);
    expect(types('native-claude/exit-plan').some((part) => part.type === 'markdown')).toBe(true);
    const asked = types('native-claude/question').find((part) => part.type === 'questions');
    expect(asked?.questions.map(({ answer }) => answer)).toEqual(['Blue']);
    const steps = types('opencode/plan').find((part) => part.type === 'todos');
    expect(steps?.todos.map(({ status }) => status)).toEqual(['in_progress', 'pending']);
  });
});
