/** The events of a session. */
export function Timeline(_props: { sessionId: string }) {
  return null;
}
