/** Lists of steps, as the tools of agents write them. */
import { listOf, own, textOf } from './shapes.ts';

export type TodoStatus = 'pending' | 'in_progress' | 'completed' | 'cancelled';

export interface Todo {
  readonly text: string;
  readonly status: TodoStatus;
  readonly priority: string | null;
}

export function todosOf(input: unknown): Todo[] {
  const lists = ['todos', 'plan', 'entries', 'items', 'steps', 'tasks'];
  for (const key of lists) {
    const todos = listOf(own(input, key)).flatMap((told): Todo[] => {
      const text = textOf(told, 'content', 'step', 'text', 'title', 'subject', 'description');
      if (text === null) return [];
      return [{ text, status: statusOf(textOf(told, 'status', 'state')), priority: null }];
    });
    if (todos.length > 0) return todos;
  }
  return [];
}

function statusOf(told: string | null): TodoStatus {
  const status = (told ?? '').toLowerCase().replaceAll('-', '_');
  if (status === 'completed' || status === 'done') return 'completed';
  if (status === 'in_progress' || status === 'active' || status === 'doing') return 'in_progress';
  if (status === 'cancelled' || status === 'canceled') return 'cancelled';
  return 'pending';
}
