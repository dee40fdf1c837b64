/** What waits for a person, over all sessions. */
export function Inbox() {
  return null;
}
