/**
 * Where the app is served, and which server it speaks with: `/ui/…` is the server of this origin, and
 * `/ui/servers/NAME/…` one that `sandbox-agent ui` reaches below a prefix of its own.
 */

/** Everything before the app's own paths, without a slash at its end. The built script knows where it came from. */
export function appRoot(scriptUrl: string, fallback: string): string {
  const found = /^(.*)\/assets\/[^/]+$/.exec(new URL(scriptUrl).pathname);
  return (found?.[1] ?? fallback).replace(/\/$/, '');
}

export interface AppPlace {
  /** What the paths of the app begin with. */
  base: string;
  /** Name of the server in the hub; null: the server of this origin. */
  server: string | null;
}

export function appPlace(root: string, pathname: string): AppPlace {
  const below = pathname.startsWith(root) ? pathname.slice(root.length) : '';
  const found = /^\/servers\/([^/]+)(?:\/|$)/.exec(below);
  if (!found?.[1]) {
    return { base: root, server: null };
  }
  let name = found[1];
  try {
    name = decodeURIComponent(name);
  } catch {
    // An address that nobody wrote by our rules names a server that does not exist.
  }
  return { base: `${root}/servers/${found[1]}`, server: name };
}

/** The path below the base, always with its first slash. */
export function pathBelow(base: string, pathname: string): string {
  return pathname.startsWith(base) ? pathname.slice(base.length) || '/' : '/';
}

export const ROOT = appRoot(import.meta.url, import.meta.env.BASE_URL);

/** URL of the server that serves this page, without a slash at its end: `/ui` is always right below it. */
export function ownServerUrl(): string {
  return `${window.location.origin}${ROOT.replace(/\/ui$/, '')}`;
}
