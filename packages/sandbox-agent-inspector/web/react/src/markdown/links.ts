/** Where a link of foreign text may lead, and what must be shown beside it so that nobody is misled. */

export type LinkTarget =
  | { kind: 'web'; href: string; host: string }
  | { kind: 'mail'; href: string; host: string }
  /** A file of the workspace, as agents write them: `src/app.py#L10`. */
  | { kind: 'path'; path: string; line: number | null };

/** Controls, and what changes the direction or hides: a browser drops them from a URL, a reader does not see them. */
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/u;
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
const HOST_IN_TEXT = /(?:https?:\/\/)?(?:[^\s/?#@]*@)?((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})/iu;

const MAX_TEXT_CHARS = 300;

/** Where `href` leads, or null when it must not be a link: only http, https, mailto and paths are. */
export function linkTarget(href: string): LinkTarget | null {
  const trimmed = href.trim();
  if (!trimmed || HIDDEN.test(trimmed) || trimmed.length > 4096) return null;
  if (trimmed.startsWith('//') || trimmed.startsWith('\\')) return null;
  if (/^file:\/\/\//i.test(trimmed)) return pathTarget(trimmed.slice('file://'.length));
  if (!SCHEME.test(trimmed)) return pathTarget(trimmed);
  if (!URL.canParse(trimmed)) return null;
  const url = new URL(trimmed);
  if (url.protocol === 'mailto:') {
    const address = url.pathname;
    return { kind: 'mail', href: url.href, host: address.slice(address.lastIndexOf('@') + 1) };
  }
  if ((url.protocol === 'http:' || url.protocol === 'https:') && url.hostname) {
    return { kind: 'web', href: url.href, host: url.host };
  }
  return null;
}

function pathTarget(text: string): LinkTarget | null {
  if (text.startsWith('#') || text.startsWith('?')) return null;
  const [before = '', fragment = ''] = text.split('#', 2);
  const line = /^L(\d{1,7})/.exec(fragment) ?? /:(\d{1,7})(?::\d+)?$/.exec(before);
  const bare = before.replace(/:(\d{1,7})(?::\d+)?$/, '').replace(/\?.*$/, '');
  let path = bare;
  try {
    path = decodeURIComponent(bare);
  } catch {
    // A percent sign that escapes nothing is a percent sign.
  }
  if (!path || HIDDEN.test(path)) return null;
  return { kind: 'path', path, line: line ? Number(line[1]) : null };
}

/**
 * The host that has to be printed beside the text of a link, or null when the text does not claim another one.
 * Names in other scripts are always printed, in punycode, because two of them may look the same.
 */
export function hostToShow(target: LinkTarget, text: string): string | null {
  if (target.kind === 'path') return null;
  const { host } = target;
  if (/(^|\.)xn--/.test(host)) return host;
  // What is too long to be read says nothing, and takes long to be looked through.
  if (text.length > MAX_TEXT_CHARS) return host;
  if (/@/.test(text) && target.kind === 'web') return host;
  const claimed = HOST_IN_TEXT.exec(text)?.[1];
  if (claimed === undefined) return null;
  return sameSite(claimed.toLowerCase(), host.replace(/:\d+$/, '')) ? null : host;
}

function sameSite(claimed: string, host: string): boolean {
  const bare = (name: string) => name.replace(/^www\./, '');
  return bare(claimed) === bare(host);
}
