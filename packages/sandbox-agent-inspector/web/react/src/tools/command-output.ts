/** What a command printed, wherever the agent puts it. */
import type { ToolItem } from 'sandbox-agent-client';
import { own, shownText, textOf, withoutFence } from './shapes.ts';

export interface CommandOutput {
  /** Of both streams, where they are not told apart. */
  readonly text: string;
  readonly stderr: string;
  /** What the agent says about it, which no program printed. */
  readonly error: string | null;
  /** It was left running. */
  readonly taskId: string | null;
}

const SILENT = /^\s*\((?:\w+ completed with )?no output\)\s*$/i;

export function commandOutput(item: ToolItem): CommandOutput {
  const { output } = item;
  const taskId = textOf(output, 'backgroundTaskId', 'background_task_id');
  const streamed = item.terminalOutput ?? '';
  const out = own(output, 'stdout');
  const err = own(output, 'stderr');
  const stdout = typeof out === 'string' ? out : '';
  const stderr = typeof err === 'string' ? err : '';
  const hasStreams = typeof out === 'string' || typeof err === 'string';
  const error = textOf(output, 'error');
  if (hasStreams) {
    // An agent that streams may leave out the beginning, one that tells the streams apart has the order only there.
    const isAll = streamed.length >= stdout.length + stderr.length;
    if (isAll && streamed !== '') return { text: streamed, stderr: '', error, taskId };
    return { text: stdout, stderr, error: error ?? refusal(item, stdout + stderr), taskId };
  }
  if (streamed !== '') return { text: silent(streamed), stderr: '', error, taskId };
  const told =
    typeof output === 'string'
      ? output
      : (textOf(output, 'output', 'content', 'aggregated_output', 'formatted_output') ?? '');
  if (told !== '' && item.status !== 'failed') {
    return { text: silent(told), stderr: '', error, taskId };
  }
  const shown = shownText(item);
  const text = shown === null ? told : withoutFence(shown).text;
  const isCommandOver = item.exitCode != null;
  // A command that never ran has printed nothing: the text is why.
  if (item.status === 'failed' && !isCommandOver) {
    const why = text === '' ? (textOf(output, 'message') ?? error ?? item.reason ?? null) : text;
    return { text: '', stderr: '', error: why, taskId };
  }
  const isJustTheDescription = text === textOf(item.input, 'description');
  return { text: isJustTheDescription ? '' : silent(text), stderr: '', error, taskId };
}

function silent(text: string): string {
  return SILENT.test(text) ? '' : text;
}

function refusal(item: ToolItem, printed: string): string | null {
  if (item.status !== 'failed' || printed !== '' || item.exitCode != null) return null;
  return shownText(item) ?? item.reason ?? null;
}
