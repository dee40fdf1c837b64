/** A permission or a question, answered in place. */
export function RequestCard(_props: { sessionId: string; requestId: string }) {
  return null;
}
