/** What a turn, or the whole session, has done to the files: the side panel's tab "Changes". */
export function TurnDiff(_props: { sessionId: string; turnId: string | null }) {
  return null;
}
