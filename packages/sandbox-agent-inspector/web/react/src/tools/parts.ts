/** The body of a call: what its arguments and its result are, in the shapes that can be shown. */
import type { ToolItem } from 'sandbox-agent-client';
import { type FileDiff, fileDiffOf, fileDiffOfTexts, fileDiffsOfPatch } from '../diff/index.ts';
import { type CommandOutput, commandOutput } from './command-output.ts';
import { commandOf, directoryOf, pathsOf, type ToolSummary } from './describe.ts';
import { type FoundLink, linksIn } from './links.ts';
import { type NumberedCode, numberedCode } from './numbered.ts';
import {
  type ContentBlock,
  fieldsOf,
  isEmpty,
  listOf,
  own,
  shownText,
  textOf,
  withoutFence,
} from './shapes.ts';
import { type Todo, todosOf } from './todos.ts';

export type ToolPart =
  | { readonly type: 'command'; readonly command: string; readonly cwd: string | null }
  | { readonly type: 'diff'; readonly file: FileDiff; readonly isApplied: boolean }
  | { readonly type: 'output'; readonly output: CommandOutput }
  | { readonly type: 'code'; readonly code: NumberedCode; readonly path: string | null }
  | { readonly type: 'markdown'; readonly text: string; readonly label: string | null }
  | { readonly type: 'plain'; readonly text: string; readonly label: string | null }
  | { readonly type: 'error'; readonly text: string }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'todos'; readonly todos: readonly Todo[] }
  | { readonly type: 'links'; readonly links: readonly FoundLink[] }
  | { readonly type: 'questions'; readonly questions: readonly AskedQuestion[] }
  | { readonly type: 'attachment'; readonly block: ContentBlock }
  | { readonly type: 'value'; readonly value: unknown; readonly label: string };

export interface AskedQuestion {
  readonly question: string;
  readonly options: readonly string[];
  readonly answer: string | null;
}

export function toolParts(item: ToolItem, summary: ToolSummary, cwd?: string | null): ToolPart[] {
  const parts = bodyOf(item, summary, cwd);
  for (const block of item.content ?? []) {
    if (block.type !== 'text' && block.type !== 'terminal')
      parts.push({ type: 'attachment', block });
  }
  if (parts.length === 0) parts.push({ type: 'note', text: emptyNote(summary) });
  return parts;
}

function bodyOf(item: ToolItem, summary: ToolSummary, cwd: string | null | undefined): ToolPart[] {
  switch (summary.sort) {
    case 'execute':
      return execute(item, summary, cwd);
    case 'edit':
    case 'delete':
    case 'move':
      return edit(item, summary);
    case 'read':
      return [...failure(item, summary), ...read(item, summary)];
    case 'search':
    case 'web-search':
    case 'fetch':
      return [...failure(item, summary), ...found(item, summary)];
    case 'todos': {
      const todos = todosOf(item.input);
      if (todos.length > 0) return [...failure(item, summary), { type: 'todos', todos }];
      return [...failure(item, summary), ...told(item, summary)];
    }
    case 'mode': {
      const plan = textOf(item.input, 'plan') ?? textOf(item.output, 'plan');
      if (plan === null) return [...failure(item, summary), ...told(item, summary)];
      return [...failure(item, summary), { type: 'markdown', text: plan, label: null }];
    }
    case 'agent':
      return agent(item, summary);
    case 'question': {
      const questions = questionsOf(item);
      if (questions.length > 0)
        return [...failure(item, summary), { type: 'questions', questions }];
      return generic(item, summary);
    }
    default:
      return generic(item, summary);
  }
}

function execute(item: ToolItem, summary: ToolSummary, cwd: string | null | undefined): ToolPart[] {
  const parts: ToolPart[] = [];
  const command = commandOf(item);
  const directory = directoryOf(item);
  const elsewhere = directory !== null && directory !== cwd ? directory : null;
  const isLong = command !== null && (command.includes('\n') || command.length > 72);
  if (command !== null && (isLong || elsewhere !== null)) {
    parts.push({ type: 'command', command, cwd: elsewhere });
  }
  const output = commandOutput(item);
  const hasOutput = output.text !== '' || output.stderr !== '';
  if (hasOutput) parts.push({ type: 'output', output });
  if (output.error !== null) parts.push({ type: 'error', text: output.error });
  if (output.taskId !== null) parts.push({ type: 'note', text: 'It goes on in the background.' });
  if (!hasOutput && output.error === null && output.taskId === null && summary.state === 'done') {
    parts.push({ type: 'note', text: 'No output' });
  }
  return parts;
}

function edit(item: ToolItem, summary: ToolSummary): ToolPart[] {
  const isApplied = summary.state !== 'failed' && summary.state !== 'denied';
  const parts: ToolPart[] = failure(item, summary);
  const told = item.diffs ?? [];
  const files = told.length > 0 ? told.map(fileDiffOf) : intended(item);
  parts.push(...files.map((file): ToolPart => ({ type: 'diff', file, isApplied })));
  if (files.length === 0) {
    const rest = told.length === 0 ? generic(item, summary) : [];
    parts.push(...rest.filter((part) => part.type !== 'error'));
  }
  return parts;
}

/** What the arguments of an edit say, where the agent tells no diff of it, or it failed. */
function intended(item: ToolItem): FileDiff[] {
  const { input } = item;
  const patch = textOf(input, 'patchText', 'patch', 'diff');
  if (patch !== null) {
    const files = fileDiffsOfPatch(patch);
    if (files.length > 0) return files;
  }
  const path = pathsOf(item)[0];
  if (path === undefined) return [];
  const edits = listOf(own(input, 'edits'));
  const pieces = [...(edits.length > 0 ? edits : [input])].flatMap((piece) => {
    const old = textOf(piece, 'old_string', 'oldString', 'oldText', 'old_str', 'old');
    const now = own(piece, 'new_string') ?? own(piece, 'newString') ?? own(piece, 'newText');
    const text = now ?? own(piece, 'new_str') ?? own(piece, 'new');
    if (old === null || typeof text !== 'string') return [];
    return [fileDiffOfTexts({ path, oldText: old, newText: text, isWholeFile: false })];
  });
  if (pieces.length > 0) return pieces;
  const content = textOf(input, 'content', 'contents', 'file_text', 'new_source');
  if (content === null) return [];
  const whole = fileDiffOfTexts({ path, oldText: null, newText: content, status: 'written' });
  return [whole];
}

function read(item: ToolItem, summary: ToolSummary): ToolPart[] {
  const text = shownText(item) ?? outputText(item);
  if (text === null || summary.state === 'failed' || summary.state === 'denied') return [];
  const { text: bare, language } = withoutFence(text);
  const code = numberedCode(bare);
  if (summary.path === null && code.start === null && language === null) {
    return [{ type: 'plain', text: bare, label: null }];
  }
  return [{ type: 'code', code, path: summary.path }];
}

function found(item: ToolItem, summary: ToolSummary): ToolPart[] {
  const links = linksIn(item);
  const text = shownText(item) ?? outputText(item);
  const parts: ToolPart[] = [];
  if (links.length > 0 && summary.sort !== 'search') parts.push({ type: 'links', links });
  if (text !== null && summary.state !== 'failed' && summary.state !== 'denied') {
    const bare = withoutFence(text).text;
    const type = summary.sort === 'search' ? 'plain' : 'markdown';
    parts.push({ type, text: bare, label: null });
  }
  return parts;
}

function agent(item: ToolItem, summary: ToolSummary): ToolPart[] {
  const parts: ToolPart[] = failure(item, summary);
  const prompt = textOf(item.input, 'prompt', 'message', 'task');
  if (prompt !== null && prompt.trim() !== summary.object) {
    parts.push({ type: 'markdown', text: prompt, label: 'Its task' });
  }
  const report = shownText(item) ?? outputText(item);
  if (report !== null && summary.state === 'done') {
    parts.push({ type: 'markdown', text: report, label: 'Its report' });
  }
  return parts;
}

function told(item: ToolItem, summary: ToolSummary): ToolPart[] {
  const text = shownText(item) ?? outputText(item);
  if (text === null || summary.state === 'failed' || summary.state === 'denied') return [];
  return [{ type: 'markdown', text, label: null }];
}

function generic(item: ToolItem, summary: ToolSummary): ToolPart[] {
  const parts: ToolPart[] = [];
  if (!isEmpty(item.input)) parts.push({ type: 'value', value: item.input, label: 'Input' });
  const failed = failure(item, summary);
  if (failed.length > 0) return [...parts, ...failed];
  const text = shownText(item);
  if (text !== null) {
    const value = parsedJson(text);
    if (value !== undefined) parts.push({ type: 'value', value, label: 'Output' });
    else parts.push({ type: 'plain', text: withoutFence(text).text, label: 'Output' });
  } else if (typeof item.output === 'string' && item.output.trim() !== '') {
    parts.push({ type: 'plain', text: item.output, label: 'Output' });
  } else if (!isEmpty(item.output)) {
    parts.push({ type: 'value', value: item.output, label: 'Output' });
  }
  return parts;
}

/** Why it failed, in the words of the agent or of the server. */
function failure(item: ToolItem, summary: ToolSummary): ToolPart[] {
  if (summary.state !== 'failed' && summary.state !== 'denied' && summary.state !== 'stopped') {
    return [];
  }
  const text = shownText(item) ?? outputText(item) ?? item.reason ?? null;
  return text === null ? [] : [{ type: 'error', text: withoutFence(text).text }];
}

function outputText(item: ToolItem): string | null {
  if (typeof item.output === 'string') return item.output.trim() === '' ? null : item.output;
  return textOf(item.output, 'error', 'output', 'content', 'result', 'text', 'message', 'stdout');
}

function questionsOf(item: ToolItem): AskedQuestion[] {
  const answers = fieldsOf(own(item.output, 'answers'));
  return listOf(own(item.input, 'questions')).flatMap((asked) => {
    const question = textOf(asked, 'question', 'header');
    if (question === null) return [];
    const options = listOf(own(asked, 'options')).flatMap((option) => {
      const label = typeof option === 'string' ? option : textOf(option, 'label', 'value');
      return label === null ? [] : [label];
    });
    const answer = Object.hasOwn(answers, question) ? answers[question] : null;
    const said = Array.isArray(answer) ? answer.join(', ') : answer;
    return [{ question, options, answer: typeof said === 'string' ? said : null }];
  });
}

function parsedJson(text: string): unknown {
  const trimmed = text.trim();
  if (!/^[[{]/.test(trimmed) || trimmed.length > 1_000_000) return undefined;
  try {
    return JSON.parse(trimmed);
  } catch {
    return undefined;
  }
}

function emptyNote({ state }: ToolSummary): string {
  if (state === 'denied') return 'It was not allowed, so it did not run.';
  if (state === 'stopped') return 'It was stopped before it was done.';
  if (state === 'failed') return 'It failed, and the agent does not say why.';
  if (state === 'background') return 'It goes on in the background.';
  if (state === 'waiting') return 'It begins when it is allowed.';
  if (state === 'running' || state === 'pending') return 'No output so far';
  return 'No output';
}
