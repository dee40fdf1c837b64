import type { Command, FileEntry } from 'sandbox-agent-client';

/** What is being completed: the word with its mark, from `start` to the caret. */
export interface Trigger {
  kind: 'file' | 'command';
  query: string;
  start: number;
  end: number;
}

export interface Completion {
  id: string;
  /** What stands in the text once it is taken. */
  insert: string;
  label: string;
  detail: string;
  /** A directory: completing goes on in it. */
  goesOn: boolean;
}

const MAX_QUERY = 200;

/** `@` begins a file anywhere at the start of a word; `/` a command at the start of the prompt. */
export function triggerAt(text: string, caret: number): Trigger | null {
  const before = text.slice(0, caret);
  const command = /^\/([^\s/]*)$/.exec(before);
  if (command) return { kind: 'command', query: command[1] ?? '', start: 0, end: caret };
  // No more of a long text than a query may be: it is looked at with every key.
  const near = before.slice(-MAX_QUERY - 3);
  const file = /(?:^|[\s([{'`])@(?:"([^"\n]*)|([^\s"]*))$/.exec(near);
  if (!file) return null;
  const query = file[1] ?? file[2] ?? '';
  if (query.length > MAX_QUERY) return null;
  const mark = file[1] === undefined ? query.length + 1 : query.length + 2;
  return { kind: 'file', query, start: caret - mark, end: caret };
}

/** The text with the completion in place of what was typed, and where the caret is then. */
export function complete(
  text: string,
  trigger: Trigger,
  completion: Completion,
): { text: string; caret: number } {
  const after = text.slice(trigger.end);
  const hasGap = /^\s/.test(after);
  const inserted = completion.insert + (completion.goesOn || hasGap ? '' : ' ');
  return {
    text: text.slice(0, trigger.start) + inserted + after,
    caret: trigger.start + inserted.length + (hasGap && !completion.goesOn ? 1 : 0),
  };
}

/** Commands that begin with the query, then those that have it in their name, then in what they do. */
export function matchingCommands(commands: readonly Command[], query: string): Completion[] {
  const wanted = query.toLowerCase();
  const rank = (command: Command): number => {
    const name = command.name.toLowerCase();
    if (name.startsWith(wanted)) return 0;
    if (name.includes(wanted)) return 1;
    return (command.description ?? '').toLowerCase().includes(wanted) ? 2 : 3;
  };
  return commands
    .map((command, index) => ({ command, index, rank: rank(command) }))
    .filter((one) => one.rank < 3)
    .sort((one, other) => one.rank - other.rank || one.index - other.index)
    .map(({ command }) => ({
      id: command.name,
      insert: `/${command.name}`,
      label: `/${command.name}${hintOf(command)}`,
      detail: command.description ?? '',
      goesOn: false,
    }));
}

/** What a command wants after its name, if the agent says. */
export function hintOf(command: Command): string {
  const { input } = command;
  const hint =
    typeof input === 'object' && input !== null ? (input as { hint?: unknown }).hint : undefined;
  return typeof hint === 'string' && hint ? ` ${hint}` : '';
}

export function fileCompletions(
  entries: readonly FileEntry[],
  cwd: string,
  query: string,
): Completion[] {
  const wanted = (query.split('/').at(-1) ?? '').toLowerCase();
  const rank = (path: string): number => {
    const name = path.split('/').at(-1)?.toLowerCase() ?? '';
    if (name === wanted) return 0;
    if (name.startsWith(wanted)) return 1;
    return name.includes(wanted) ? 2 : 3;
  };
  return entries
    .map((entry) => ({ entry, path: relativeTo(cwd, entry.path) }))
    .sort(
      (one, other) =>
        rank(one.path) - rank(other.path) ||
        one.path.split('/').length - other.path.split('/').length ||
        one.path.localeCompare(other.path),
    )
    .map(({ entry, path }) => {
      const isDirectory = entry.entryType === 'directory';
      const shown = isDirectory ? `${path}/` : path;
      return {
        id: entry.path,
        insert: /[\s"]/.test(shown) ? `@"${shown}${isDirectory ? '' : '"'}` : `@${shown}`,
        label: shown,
        detail: '',
        goesOn: isDirectory,
      };
    });
}

export function relativeTo(directory: string, path: string): string {
  const base = directory.endsWith('/') ? directory : `${directory}/`;
  return path.startsWith(base) ? path.slice(base.length) : path;
}
