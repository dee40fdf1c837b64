/**
 * The policy asks for Trusted Types. Nothing here makes HTML or script from text; only workers need a URL of a script,
 * and theirs are files of this app.
 */

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): unknown;
}

/** The URL as it was, if it is of this origin. */
export function ownScriptUrl(url: string, page: string): string {
  const parsed = new URL(url, page);
  if (parsed.origin !== new URL(page).origin) {
    throw new TypeError(`A script must come from this origin, not from ${parsed.origin}.`);
  }
  return parsed.href;
}

export function installTrustedTypes(): void {
  const factory = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  factory?.createPolicy('default', {
    createScriptURL: (url) => ownScriptUrl(url, window.location.href),
  });
}
