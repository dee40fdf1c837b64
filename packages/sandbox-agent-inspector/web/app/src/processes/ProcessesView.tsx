/** Processes and their logs. */
export function ProcessesView() {
  return null;
}
