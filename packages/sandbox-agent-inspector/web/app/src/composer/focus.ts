/** The field of a session's composer, for those who stand outside of it. */
export const composerId = (sessionId: string) => `composer-${sessionId}`;

export function focusComposer(sessionId: string): void {
  document.getElementById(composerId(sessionId))?.focus();
}
