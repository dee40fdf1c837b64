/** All sessions. */
export function SessionList() {
  return null;
}
