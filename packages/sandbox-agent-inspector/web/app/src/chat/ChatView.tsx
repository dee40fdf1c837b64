/** A session: its header, the conversation, what it asks, and the composer. */
export function ChatView(_props: { sessionId: string }) {
  return null;
}
