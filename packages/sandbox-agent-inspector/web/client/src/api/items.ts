/** Names for unions that the document of the API has none for. */

import type {
  HookItem,
  HostToolItem,
  PermissionItem,
  QuestionItem,
  Transcript,
  Turn,
} from './schema.ts';

export type ContentBlock = NonNullable<Turn['prompt']>[number];
export type ConfigOption = NonNullable<Transcript['configOptions']>[number];
/** What happened in a turn. */
export type Item = NonNullable<Turn['items']>[number];
/** What waits, or waited, for an answer. */
export type RequestItem = PermissionItem | QuestionItem | HookItem | HostToolItem;
