/** Where a prompt is written. */
export function Composer(_props: { sessionId: string }) {
  return null;
}
