/** What a turn is made of, by name. */
import type {
  HookItem,
  HostToolItem,
  PermissionItem,
  QuestionItem,
  ToolItem,
  Turn,
} from 'sandbox-agent-client';

export type TurnItem = NonNullable<Turn['items']>[number];
export type PromptBlock = NonNullable<Turn['prompt']>[number];
export type RequestItem = PermissionItem | QuestionItem | HookItem | HostToolItem;

/** Puts adjacent calls that need no attention into one list. `turn`: the whole that the items are of. */
export type GroupItems = (
  items: readonly TurnItem[],
  turn: Turn,
) => ReadonlyArray<TurnItem | readonly ToolItem[]>;

/** The id of an item over its life. `seq` is none: a completion gives an item another one. */
export function itemKey(item: TurnItem, turnKey: string): string {
  switch (item.type) {
    case 'message':
    case 'reasoning':
      return `${item.type}:${item.id ?? `@${turnKey}`}`;
    case 'tool':
      // Agents that count their calls anew in every turn use an id twice.
      return `tool:${turnKey}:${item.toolCallId}`;
    case 'plan':
      return `plan:${turnKey}`;
    case 'notice':
      return `notice:${item.seq}`;
    default:
      return `request:${item.requestId}`;
  }
}

/** The text of a prompt, without what is attached to it. */
export function promptText(blocks: readonly PromptBlock[]): string {
  return blocks
    .map((block) => (block.type === 'text' && typeof block.text === 'string' ? block.text : ''))
    .filter((text) => text !== '')
    .join('\n');
}
