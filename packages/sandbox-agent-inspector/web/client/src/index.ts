export type { ConfigOption, ContentBlock, Item, RequestItem } from './api/items.ts';
export type * from './api/schema.ts';
export { SandboxAgent, type SandboxAgentOptions } from './client.ts';
export { ApiError, isUnanswered, NetworkError } from './errors.ts';
export { Feed, type FeedItem, type FeedOptions } from './feed.ts';
export {
  emptyTranscript,
  type Transcript as FoldedTranscript,
  type Turn as FoldedTurn,
} from './fold/model.ts';
export { fold, TranscriptFolder } from './fold/transcript.ts';
export {
  type Query,
  type QueryValue,
  type RequestRecord,
  type SendOptions,
  Transport,
  type TransportOptions,
} from './http/transport.ts';
export { Work } from './http/work.ts';
export { newId } from './new-id.ts';
export type { AgentQuery } from './resources/agents.ts';
export type { ConfigGroup } from './resources/config.ts';
export type { FileChange, Upload, UploadProgress, WriteOptions } from './resources/files.ts';
export { bytesOf, type ProcessLogEvent } from './resources/processes.ts';
export {
  type EventQuery,
  type Idempotent,
  LAST,
  type PageOf,
  type SessionQuery,
} from './resources/sessions.ts';
export {
  TerminalConnection,
  type TerminalMessage,
  type TerminalOptions,
} from './resources/terminals.ts';
export type { Connection } from './stores/connection.ts';
export { EventLog } from './stores/event-log.ts';
export type { OutboxPrompt, SendPromptOptions } from './stores/outbox.ts';
export { type ServerSnapshot, ServerStore } from './stores/server-store.ts';
export { type SessionSnapshot, SessionStore } from './stores/session-store.ts';
