/** What the agent asks: permissions, questions, hooks and functions of clients, and how each was answered. */

import type {
  HookRequested,
  HookResolved,
  HostToolCalled,
  HostToolResolved,
  PermissionRequested,
  PermissionResolved,
  QuestionRequested,
  QuestionResolved,
} from '../api/schema.ts';
import { ItemDraft } from './drafts.ts';
import type { HookItem, HostToolItem, PermissionItem, QuestionItem, RequestItem } from './model.ts';
import type { Segments } from './segments.ts';

type Requested = PermissionRequested | QuestionRequested | HookRequested | HostToolCalled;
type Resolved = PermissionResolved | QuestionResolved | HookResolved | HostToolResolved;
type Asked = Requested | Resolved;

// What of an event's data an item keeps: the item's own fields.
const FIELDS = {
  permission: [
    'toolCall',
    'command',
    'paths',
    'options',
    'expiresAt',
    'default',
    'outcome',
    'optionId',
    'optionKind',
    'optionName',
    'decidedBy',
    'rule',
    'reply',
    'scope',
    'message',
    'updatedInput',
    'onReject',
    'actor',
  ] satisfies (keyof PermissionItem)[],
  question: [
    'message',
    'questions',
    'url',
    'toolCallId',
    'expiresAt',
    'default',
    'outcome',
    'answers',
    'decidedBy',
    'rule',
    'actor',
  ] satisfies (keyof QuestionItem)[],
  hook: [
    'hook',
    'toolCall',
    'command',
    'paths',
    'output',
    'expiresAt',
    'default',
    'outcome',
    'decision',
    'message',
    'updatedInput',
    'context',
    'decidedBy',
    'rule',
    'actor',
  ] satisfies (keyof HookItem)[],
  host_tool: [
    'tool',
    'input',
    'client',
    'expiresAt',
    'default',
    'outcome',
    'content',
    'decidedBy',
    'rule',
  ] satisfies (keyof HostToolItem)[],
};

export class Requests {
  readonly #segments: Segments;
  readonly #items = new Map<string, ItemDraft<RequestItem>>();
  #pending: string[] = [];

  constructor(segments: Segments) {
    this.#segments = segments;
  }

  requested(event: Requested): void {
    const id = event.data.requestId;
    const item = this.#changed(event);
    if (item.outcome == null && !this.#pending.includes(id)) this.#pending = [...this.#pending, id];
  }

  resolved(event: Resolved): void {
    const id = event.data.requestId;
    // It was asked through the permission, which goes on.
    if (event.type === 'hook.resolved' && this.#items.has(keyOf('permission', id))) return;
    const item = this.#changed(event);
    item.resolvedAt = event.time;
    const index = this.#pending.indexOf(id);
    if (index >= 0) this.#pending = this.#pending.toSpliced(index, 1);
  }

  /** Ids of what nobody has answered. */
  pending(): string[] {
    return this.#pending;
  }

  #changed(event: Asked): RequestItem {
    const kind = kindOf(event);
    const key = keyOf(kind, event.data.requestId);
    let draft = this.#items.get(key);
    if (!draft) {
      draft = new ItemDraft<RequestItem>(newItem(kind, event));
      this.#items.set(key, draft);
      this.#segments.put(draft, event.turnId);
    }
    const item = draft.change();
    const [data, target]: Record<string, unknown>[] = [event.data, item];
    for (const name of FIELDS[kind]) {
      if (data && target && Object.hasOwn(data, name)) target[name] = data[name] ?? undefined;
    }
    return item;
  }
}

function kindOf(event: Asked): RequestItem['type'] {
  switch (event.type) {
    case 'permission.requested':
    case 'permission.resolved':
      return 'permission';
    case 'question.requested':
    case 'question.resolved':
      return 'question';
    case 'hook.requested':
    case 'hook.resolved':
      return 'hook';
    case 'host_tool.called':
    case 'host_tool.resolved':
      return 'host_tool';
  }
}

function keyOf(kind: RequestItem['type'], requestId: string): string {
  return `${kind} ${requestId}`;
}

function newItem(kind: RequestItem['type'], event: Asked): RequestItem {
  const item = { seq: event.seq, time: event.time, requestId: event.data.requestId };
  switch (kind) {
    case 'permission':
      return { ...item, type: kind, paths: [], options: [] };
    case 'question':
      return { ...item, type: kind, message: '', questions: [] };
    case 'hook':
      return { ...item, type: kind, hook: '', paths: [] };
    case 'host_tool':
      return { ...item, type: kind, tool: '', input: {}, content: [] };
  }
}
