/**
 * The token of a server: handed over in the fragment, which no server ever sees, taken out of the address at once, kept
 * in memory and in this tab, and in this browser only for who asks for that.
 */

const PREFIX = 'sandbox-agent:token:';

interface Storages {
  session: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  local: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
}

/** What a fragment hands over: the token, and the fragment without it. */
export function readFragment(fragment: string): { token: string | null; rest: string } {
  const text = fragment.replace(/^#/, '');
  if (!/(^|&)token=/.test(text)) {
    return { token: null, rest: text };
  }
  const kept: string[] = [];
  let token: string | null = null;
  for (const pair of text.split('&')) {
    if (pair.startsWith('token=')) {
      try {
        token = decodeURIComponent(pair.slice('token='.length).replaceAll('+', '%2B'));
      } catch {
        token = pair.slice('token='.length);
      }
    } else if (pair) {
      kept.push(pair);
    }
  }
  return { token: token || null, rest: kept.join('&') };
}

/** Take the token out of the address before anything else can read, store or show it. */
export function takeTokenFromAddress(): string | null {
  const { token, rest } = readFragment(window.location.hash);
  if (token !== null || rest !== window.location.hash.replace(/^#/, '')) {
    const { pathname, search } = window.location;
    window.history.replaceState(
      window.history.state,
      '',
      pathname + search + (rest ? `#${rest}` : ''),
    );
  }
  return token;
}

export class TokenShelf {
  readonly #storages: Storages | null;
  readonly #memory = new Map<string, string>();

  constructor(storages: Storages | null) {
    this.#storages = storages;
  }

  get(server: string): string | null {
    const held = this.#memory.get(server);
    if (held !== undefined) {
      return held;
    }
    try {
      return (
        this.#storages?.session.getItem(PREFIX + server) ??
        this.#storages?.local.getItem(PREFIX + server) ??
        null
      );
    } catch {
      return null;
    }
  }

  /** `remember`: also for the next time this browser is opened. Unasked, what is remembered stays so, renewed. */
  set(server: string, token: string, remember?: boolean): void {
    this.#memory.set(server, token);
    try {
      this.#storages?.session.setItem(PREFIX + server, token);
      const asked = remember ?? this.isRemembered(server);
      if (asked) {
        this.#storages?.local.setItem(PREFIX + server, token);
      } else {
        this.#storages?.local.removeItem(PREFIX + server);
      }
    } catch {
      // A browser without storage: the token lives as long as the page.
    }
  }

  isRemembered(server: string): boolean {
    try {
      return this.#storages?.local.getItem(PREFIX + server) != null;
    } catch {
      return false;
    }
  }

  forget(server: string): void {
    this.#memory.delete(server);
    try {
      this.#storages?.session.removeItem(PREFIX + server);
      this.#storages?.local.removeItem(PREFIX + server);
    } catch {
      // Nothing was kept.
    }
  }
}

function browserStorages(): Storages | null {
  try {
    return { session: window.sessionStorage, local: window.localStorage };
  } catch {
    return null;
  }
}

export const tokens = new TokenShelf(typeof window === 'undefined' ? null : browserStorages());
