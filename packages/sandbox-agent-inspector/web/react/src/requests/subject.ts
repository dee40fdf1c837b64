import type { SessionInfo } from 'sandbox-agent-client';
import type { RequestModel } from './model.ts';

/** Names of input that a card shows in another way already: the command, where it runs, the agent's words. */
const SHOWN = ['command', 'cmd', 'cwd', 'workdir', 'working_directory', 'description'];
/** What a diff shows better. */
const IN_DIFF =
  /^(?:file_?path|path|old_?(?:string|text|str)|new_?(?:string|text|str)|content|contents|edits|changes|patch|diff)$/i;

/** What programs tell each other of a call: nobody decides by it. */
const BOOKKEEPING =
  /(?:^|_)ids?$|Id$|_at(?:_ms)?$|^(?:available_decisions|parsed_cmd|proposed_\w+)$/;

export function isBookkeeping(name: string): boolean {
  return BOOKKEEPING.test(name);
}

/** The rest of the input of the tool; null: all of it is shown. */
export function otherInput({ tool, command, paths }: RequestModel): Record<string, unknown> | null {
  if (!tool?.input) return null;
  const rest = Object.entries(tool.input).filter(([name, value]) => {
    if (value === null || value === undefined || value === '') return false;
    if (SHOWN.includes(name) && (command !== null || name === 'description')) return false;
    if (tool.diffs.length > 0 && IN_DIFF.test(name)) return false;
    if (tool.kind === 'switch_mode' && name === 'plan') return false;
    if (command !== null && isCommand(value, command)) return false;
    return !(typeof value === 'string' && paths.includes(value));
  });
  return rest.length > 0 ? Object.fromEntries(rest) : null;
}

/** Agents tell a command in several shapes: whole, in words, in a list of one. */
function isCommand(value: unknown, command: string): boolean {
  if (value === command) return true;
  return Array.isArray(value) && (value.at(-1) === command || value.join(' ') === command);
}

/** Whether a path is in the workspace, as it is written; the server looks where links lead. */
export function isInside(path: string, cwd: string, others: readonly string[] = []): boolean {
  const plain = resolved(path, cwd);
  return [cwd, ...others].some((one) => {
    const directory = one.replace(/\/+$/, '');
    return plain === directory || plain.startsWith(`${directory}/`);
  });
}

function resolved(path: string, cwd: string): string {
  const whole = path.startsWith('/') || path.startsWith('~') ? path : `${cwd}/${path}`;
  const parts: string[] = [];
  for (const part of whole.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return whole.startsWith('~') ? whole : `/${parts.join('/')}`;
}

/** Why a person is asked: what is known of it without judging the rules again. */
export function whyAsked(request: RequestModel, session: SessionInfo): string {
  if (request.hook) return 'Why: this session has a hook for its tools.';
  if (request.byDefault === null && request.expiresAt === null) return '';
  const mode = session.permissionMode ? ` in the mode “${session.permissionMode}”` : '';
  const rules = session.permissionPolicy?.rules ?? [];
  if (rules.some((rule) => rule.action === 'ask')) {
    return `Why: a rule of the policy, or its default, asks${mode}.`;
  }
  return rules.length > 0
    ? `Why: none of the policy’s ${rules.length} rules decides this${mode}.`
    : `Why: this session asks before it acts${mode}.`;
}

/** "3 s ago", "2 h ago": how long something has been over. */
export function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 2) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** Where the command line of an input is, when it is a text; null: there is none. */
export function commandField(input: Readonly<Record<string, unknown>>): string | null {
  return ['command', 'cmd'].find((name) => typeof input[name] === 'string') ?? null;
}

/** An input with the text that somebody has edited, or why it cannot be one. */
export function editedInput(
  input: Readonly<Record<string, unknown>>,
  text: string,
): Record<string, unknown> | string {
  const name = commandField(input);
  if (name) return text.trim() ? { ...input, [name]: text } : 'Write a command, or go back.';
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
    return 'This has to be a JSON object.';
  } catch (error) {
    return `This is no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}
