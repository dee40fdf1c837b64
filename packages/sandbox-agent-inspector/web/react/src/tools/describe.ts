/** The header of a call: a verb, what it is about, and the facts beside it. */
import type { ToolItem, Turn } from 'sandbox-agent-client';
import { type ToolSort, toolSort } from './kinds.ts';
import { listOf, numberOf, own, relativePath, shownText, textOf } from './shapes.ts';
import { isActive, type ToolState, toolState } from './state.ts';

export type ObjectKind = 'path' | 'command' | 'text' | 'url' | 'query';

export interface ToolSummary {
  readonly sort: ToolSort;
  /** "Read", "Run", …; for a tool that we do not know its own name. */
  readonly verb: string;
  readonly object: string;
  readonly objectKind: ObjectKind;
  /** In the words of the agent: why, or what of it. */
  readonly detail: string | null;
  readonly state: ToolState;
  readonly exitCode: number | null;
  /** The file that it is about, when it is about one. */
  readonly path: string | null;
  readonly line: number | null;
  readonly command: string | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly durationMs: number | null;
}

export interface DescribeOptions {
  readonly turn?: Turn | null;
  readonly cwd?: string | null;
  readonly hasChildren?: boolean;
  readonly isInBackground?: boolean;
}

const VERBS: Readonly<Record<ToolSort, string>> = {
  read: 'Read',
  edit: 'Edit',
  delete: 'Delete',
  move: 'Move',
  search: 'Search',
  'web-search': 'Search the web',
  execute: 'Run',
  think: 'Think',
  agent: 'Sub-agent',
  todos: 'Update plan',
  fetch: 'Fetch',
  mode: 'Mode',
  question: 'Ask',
  mcp: 'Call',
  skill: 'Skill',
  other: 'Tool',
};

export function describeTool(item: ToolItem, options: DescribeOptions = {}): ToolSummary {
  const sort = toolSort(item, options.hasChildren);
  const state = toolState(item, options.turn, options.isInBackground);
  const command = commandOf(item);
  const paths = pathsOf(item);
  const path = paths.length === 1 ? (paths[0] ?? null) : null;
  const about = aboutOf(item, sort, { command, paths, cwd: options.cwd });
  return {
    sort,
    verb: verbOf(item, sort),
    ...about,
    detail: detailOf(item, about.object),
    state,
    exitCode: item.exitCode ?? numberOf(item.output, 'exitCode', 'exit_code'),
    path,
    line: path === null ? null : lineOf(item),
    command,
    startedAt: item.time,
    endedAt: item.endedAt ?? null,
    durationMs: isActive(state) ? null : durationOf(item),
  };
}

/** The command line, as it would be typed: `bash -lc "x"` is x. */
export function commandOf(item: ToolItem): string | null {
  for (const key of ['command', 'cmd', 'commands', 'script']) {
    const told = own(item.input, key);
    if (typeof told === 'string' && told.trim() !== '') return told;
    const words = listOf(told).filter((word): word is string => typeof word === 'string');
    if (words.length > 0) return lineOfWords(words);
  }
  if (item.kind !== 'execute') return null;
  if (typeof item.input === 'string' && item.input.trim() !== '') return item.input;
  return item.title || null;
}

export function directoryOf(item: ToolItem): string | null {
  return textOf(item.input, 'cwd', 'workdir', 'working_directory', 'dir_path', 'directory');
}

/** Where it works, as it says it: its places, its diffs, or its arguments. */
export function pathsOf(item: ToolItem): string[] {
  const told = (item.diffs?.length ? item.diffs : (item.locations ?? [])).map(({ path }) => path);
  if (told.length > 0) return [...new Set(told)];
  const given = textOf(
    item.input,
    'file_path',
    'filePath',
    'notebook_path',
    'absolute_path',
    'path',
    'file',
  );
  return given === null ? [] : [given];
}

function lineOf(item: ToolItem): number | null {
  const told = item.locations?.[0]?.line;
  if (typeof told === 'number' && told > 0) return told;
  return item.diffs?.[0]?.hunks?.[0]?.newStart ?? null;
}

function verbOf(item: ToolItem, sort: ToolSort): string {
  if (sort === 'edit') {
    const diffs = item.diffs ?? [];
    const isNew = diffs.length > 0 && diffs.every((diff) => diff.oldText == null);
    if (isNew) return 'Create';
    return /^(write|create_file|write_file)$/i.test(item.name ?? '') ? 'Write' : 'Edit';
  }
  if (sort === 'mode') {
    return textOf(item.input, 'plan') || /exit/i.test(item.name ?? '') ? 'Plan ready' : 'Mode';
  }
  if (sort === 'todos' && /^taskcreate$/i.test(item.name ?? '')) return 'New task';
  if (sort === 'other') return item.name ?? 'Tool';
  return VERBS[sort];
}

interface About {
  readonly object: string;
  readonly objectKind: ObjectKind;
}

function aboutOf(
  item: ToolItem,
  sort: ToolSort,
  known: { command: string | null; paths: readonly string[]; cwd: string | null | undefined },
): About {
  const title = titleWithout(item, verbOf(item, sort));
  const text = (object: string | null): About => ({ object: object ?? '', objectKind: 'text' });
  switch (sort) {
    case 'execute':
      return { object: known.command ?? title, objectKind: 'command' };
    case 'read':
    case 'edit':
    case 'delete':
    case 'move': {
      const [first] = known.paths;
      if (first === undefined) return text(title);
      const object =
        known.paths.length === 1 ? relativePath(first, known.cwd) : `${known.paths.length} files`;
      return { object, objectKind: known.paths.length === 1 ? 'path' : 'text' };
    }
    case 'search': {
      const query = textOf(item.input, 'pattern', 'query', 'glob', 'regex', 'filePattern');
      if (query !== null) return { object: query, objectKind: 'query' };
      const [first] = known.paths;
      if (first !== undefined)
        return { object: relativePath(first, known.cwd) || '.', objectKind: 'path' };
      return text(title);
    }
    case 'web-search':
      return { object: textOf(item.input, 'query', 'q') ?? title, objectKind: 'query' };
    case 'fetch': {
      const url = textOf(item.input, 'url', 'uri', 'href');
      return url === null ? text(title) : { object: url, objectKind: 'url' };
    }
    case 'agent':
      return text(textOf(item.input, 'description', 'title') ?? (title || firstLine(item)));
    case 'todos':
      return text(textOf(item.input, 'subject') ?? todoCount(item) ?? title);
    case 'mcp':
      return text(title);
    case 'question':
      return text(textOf(listOf(own(item.input, 'questions'))[0], 'question') ?? title);
    default:
      return text(title);
  }
}

function firstLine(item: ToolItem): string {
  return (textOf(item.input, 'prompt', 'message') ?? '').trim().split('\n')[0] ?? '';
}

function todoCount(item: ToolItem): string | null {
  const count = listOf(own(item.input, 'todos')).length;
  return count === 0 ? null : `${count} ${count === 1 ? 'step' : 'steps'}`;
}

/** Its title, without the verb and the name that stand beside it anyway. */
function titleWithout(item: ToolItem, verb: string): string {
  const title = (item.title ?? '').trim();
  for (const word of [verb, item.name ?? '', 'Searching', 'Reading', 'Fetching']) {
    if (word === '' || !title.toLowerCase().startsWith(word.toLowerCase())) continue;
    const rest = title.slice(word.length);
    if (rest === '') return '';
    if (/^[\s:]/.test(rest)) return rest.replace(/^[\s:]+/, '');
  }
  return title;
}

function detailOf(item: ToolItem, object: string): string | null {
  const detail = textOf(item.input, 'description', 'justification', 'explanation', 'reason');
  return detail === null || detail === object ? null : detail;
}

function durationOf(item: ToolItem): number | null {
  const told = numberOf(item.output, 'durationMs', 'duration_ms', 'totalDurationMs');
  if (told !== null && told > 0) return told;
  if (!item.endedAt) return null;
  const taken = Date.parse(item.endedAt) - Date.parse(item.time);
  return Number.isFinite(taken) ? Math.max(0, taken) : null;
}

function lineOfWords(words: readonly string[]): string {
  const [program, flag, line] = words;
  const isShell = /(^|\/)(ba|z|da|k)?sh$/.test(program ?? '');
  if (isShell && words.length === 3 && line !== undefined && /^-\w*c$/.test(flag ?? '')) {
    return line;
  }
  return words.map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** One line about what it does now, for a list or a row that is folded. */
export function liveLine(item: ToolItem, options: DescribeOptions = {}): string {
  const { verb, object } = describeTool(item, options);
  const first = object.split('\n')[0] ?? '';
  return first === '' ? verb : `${verb} ${first}`;
}

/** Whether there is anything at all to show below the header. */
export function hasShownText(item: ToolItem): boolean {
  return shownText(item) !== null;
}
