export {
  type Attachment,
  type AttachmentState,
  MAX_ATTACHMENT_BYTES,
  MAX_ATTACHMENTS,
  MAX_INLINE_IMAGE_BYTES,
} from './attachments.ts';
export { CompletionList, Composer, ComposerInput, useComposerContext } from './Composer.tsx';
export type { Completion } from './completion.ts';
export { DraftStore } from './drafts.ts';
export {
  type Blocked,
  canSteer,
  type PlanProgress,
  type PromptCapabilities,
  promptCapabilities,
} from './session.ts';
export { type ComposerSnapshot, ComposerStore, composerOf, type SendHow } from './store.ts';
export type { CompletionHandle } from './useCompletion.ts';
export { type ComposerHandle, textOf, useComposer, useDraft } from './useComposer.ts';
