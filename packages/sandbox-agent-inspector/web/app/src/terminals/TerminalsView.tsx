/** Terminals. */
export function TerminalsView(_props: { directory: string }) {
  return null;
}
