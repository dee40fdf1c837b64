/** Where a session is made. */
export function NewSession() {
  return null;
}
