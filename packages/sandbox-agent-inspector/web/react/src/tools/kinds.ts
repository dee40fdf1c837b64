/** What sort of call it is: its kind as the agent says, made finer by its name and its arguments. */
import type { ToolItem } from 'sandbox-agent-client';
import { listOf, own, textOf } from './shapes.ts';

export type ToolSort =
  | 'read'
  | 'edit'
  | 'delete'
  | 'move'
  | 'search'
  | 'web-search'
  | 'execute'
  | 'think'
  | 'agent'
  | 'todos'
  | 'fetch'
  | 'mode'
  | 'question'
  | 'mcp'
  | 'skill'
  | 'other';

const AGENTS = new Set([
  'agent',
  'task',
  'oracle',
  'librarian',
  'spawnagent',
  'subagentactivity',
  'wait',
]);
const TODOS = /^(todo(write|read|_write|_read)|update_?plan|task(create|update|list))$/i;
const QUESTIONS = new Set(['askuserquestion', 'question', 'ask_user', 'ask']);

export function toolSort(item: ToolItem, hasChildren = false): ToolSort {
  const name = (item.name ?? '').toLowerCase();
  if (hasChildren || isAgent(item, name)) return 'agent';
  if (TODOS.test(name) || isTodoList(item)) return 'todos';
  if (QUESTIONS.has(name)) return 'question';
  if (name === 'skill') return 'skill';
  if (item.kind === 'other' && (name.startsWith('mcp__') || own(item.input, 'server') != null)) {
    return 'mcp';
  }
  if (isWebSearch(item, name)) return 'web-search';
  if (item.kind === 'switch_mode') return 'mode';
  return item.kind ?? 'other';
}

function isAgent(item: ToolItem, name: string): boolean {
  if (item.kind !== 'think' && item.kind !== 'other') return false;
  if (AGENTS.has(name)) return true;
  return (
    textOf(item.input, 'subagent_type', 'subagentType', 'agent_type', 'agentPath') !== null ||
    (item.kind === 'think' && textOf(item.input, 'prompt') !== null)
  );
}

function isTodoList(item: ToolItem): boolean {
  const todos = listOf(own(item.input, 'todos'));
  return todos.length > 0 && todos.every((todo) => textOf(todo, 'content', 'text', 'title'));
}

function isWebSearch(item: ToolItem, name: string): boolean {
  if (/^web_?search$/.test(name)) return true;
  return (
    item.kind === 'fetch' && textOf(item.input, 'query') !== null && !textOf(item.input, 'url')
  );
}
