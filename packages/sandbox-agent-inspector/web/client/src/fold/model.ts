/**
 * A session as people see it: turns and what happened in them.
 *
 * The types of the API, but with what the fold always writes: lists, texts and flags that have a default.
 */

import type { ConfigOption, ContentBlock } from '../api/items.ts';
import type * as api from '../api/schema.ts';

export type { ConfigOption, ContentBlock };

type Written<T, K extends keyof T> = Omit<T, K> & { [P in K]-?: NonNullable<T[P]> };

export type MessageItem = Written<
  api.MessageItem,
  'role' | 'text' | 'attachments' | 'streaming' | 'late'
>;
export type ReasoningItem = Written<
  api.ReasoningItem,
  'text' | 'attachments' | 'streaming' | 'late'
>;
export type ToolItem = Written<
  api.ToolItem,
  'title' | 'kind' | 'content' | 'diffs' | 'locations' | 'status' | 'late'
>;
export type PlanItem = Written<api.PlanItem, 'entries'>;
export type PermissionItem = Written<api.PermissionItem, 'paths' | 'options'>;
export type QuestionItem = Written<api.QuestionItem, 'message' | 'questions'>;
export type HookItem = Written<api.HookItem, 'hook' | 'paths'>;
export type HostToolItem = Written<api.HostToolItem, 'tool' | 'input' | 'content'>;
export type NoticeItem = Written<api.NoticeItem, 'text'>;

/** What waits, or waited, for an answer. */
export type RequestItem = PermissionItem | QuestionItem | HookItem | HostToolItem;
export type Item = MessageItem | ReasoningItem | ToolItem | PlanItem | RequestItem | NoticeItem;

export type SteeredPrompt = Written<api.SteeredPrompt, 'content'>;
export type QueuedPrompt = Written<api.QueuedPrompt, 'prompt'>;
export type Task = Written<api.Task, 'kind' | 'title'>;
export type TurnChanges = Written<api.TurnChanges, 'path' | 'files' | 'totals' | 'truncated'>;
export type Turn = Omit<api.Turn, 'items' | 'steered' | 'changes'> & {
  items: Item[];
  steered: SteeredPrompt[];
  changes?: TurnChanges | null;
};
export type Transcript = Omit<
  api.Transcript,
  'seq' | 'turns' | 'tasks' | 'queued' | 'pendingRequests' | 'configOptions' | 'commands'
> & {
  /** Of the last event in it: the cursor to continue from. */
  seq: number;
  turns: Turn[];
  tasks: Task[];
  queued: QueuedPrompt[];
  /** Ids of what nobody has answered. */
  pendingRequests: string[];
  configOptions: ConfigOption[];
  commands: api.Command[];
};

/** A transcript in which nothing has happened. */
export function emptyTranscript(): Transcript {
  return {
    seq: 0,
    turns: [],
    tasks: [],
    queued: [],
    pendingRequests: [],
    configOptions: [],
    commands: [],
  };
}
