/** What a new terminal runs: the login shell of the sandbox's user, or what there is. */
export const SHELL = {
  command: 'sh',
  args: [
    '-c',
    'for shell in "$SHELL" bash; do shell=$(command -v "$shell") && [ -x "$shell" ] && exec "$shell" -l; done; exec sh -i',
  ],
} as const;

/** Processes that were started by it look like their shell. */
export function isLoginShell(process: { command: string; args: readonly string[] }): boolean {
  return process.command === SHELL.command && process.args[1] === SHELL.args[1];
}
