/** Background tasks of a transcript. An id may come again when its task is over: that is another task. */

import type { TaskEnded, TaskStarted, TaskUpdated } from '../api/schema.ts';
import type { Task } from './model.ts';

export class Tasks {
  #all: Task[] = [];
  readonly #running = new Map<string, number>();
  #published: Task[] = this.#all;

  started(event: TaskStarted): void {
    const { data } = event;
    if (this.#running.has(data.taskId)) return;
    this.#add({
      id: data.taskId,
      kind: data.kind ?? 'other',
      title: data.title ?? '',
      toolCallId: data.toolCallId ?? undefined,
      turnId: event.turnId,
      startedAt: event.time,
    });
  }

  updated(event: TaskUpdated): void {
    const { data } = event;
    const index = this.#running.get(data.taskId);
    const task = index === undefined ? undefined : this.#all[index];
    if (index === undefined || !task) return;
    this.#set(index, {
      ...task,
      title: data.title || task.title,
      summary: data.summary || task.summary,
    });
  }

  ended(event: TaskEnded): void {
    const { data } = event;
    // Unknown: a log that is read from its middle.
    const index =
      this.#running.get(data.taskId) ??
      this.#add({ id: data.taskId, kind: 'other', title: '', turnId: event.turnId });
    this.#running.delete(data.taskId);
    const task = this.#all[index];
    if (!task) return;
    this.#set(index, {
      ...task,
      status: data.status,
      error: data.error ?? undefined,
      endedAt: event.time,
      summary: data.summary || task.summary,
    });
  }

  publish(): Task[] {
    this.#published = this.#all;
    return this.#published;
  }

  #add(task: Task): number {
    this.#own();
    const index = this.#all.push(task) - 1;
    this.#running.set(task.id, index);
    return index;
  }

  #set(index: number, task: Task): void {
    this.#own();
    this.#all[index] = task;
  }

  #own(): void {
    if (this.#all === this.#published) this.#all = [...this.#all];
  }
}
