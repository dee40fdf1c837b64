/**
 * The servers that can be switched to. `sandbox-agent ui` lists all sandboxes below its own address, so they open here;
 * any other server has an address of its own, which the policy of this page does not let it speak with: it opens in a
 * tab of its own, with its own Inspector.
 */
import { create } from 'zustand';
import { ownServerUrl, ROOT } from './base.ts';

export interface HubServer {
  name: string;
  provider: string | null;
  state: string | null;
}

/** A provider that could not say which sandboxes it has. */
export interface HubProblem {
  provider: string;
  detail: string;
}

export interface HubList {
  servers: readonly HubServer[];
  problems: readonly HubProblem[];
}

export interface SavedServer {
  url: string;
}

export type Hub = { state: 'unknown' | 'absent' | 'locked' } | ({ state: 'present' } & HubList);

const KEY = 'sandbox-agent:servers';

/** What `servers.json` says; null when it is no such list. */
export function readHub(body: unknown): HubList | null {
  if (typeof body !== 'object' || body === null || !('servers' in body)) {
    return null;
  }
  if (!Array.isArray(body.servers)) {
    return null;
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  const servers = records(body.servers).flatMap((fields) => {
    const name = text(fields.name);
    return name ? [{ name, provider: text(fields.provider), state: text(fields.state) }] : [];
  });
  const told = 'problems' in body && Array.isArray(body.problems) ? body.problems : [];
  const problems = records(told).flatMap((fields) => {
    const [provider, detail] = [text(fields.provider), text(fields.detail)];
    return provider && detail ? [{ provider, detail }] : [];
  });
  return { servers, problems };
}

function records(list: readonly unknown[]): Record<string, unknown>[] {
  return list.filter(
    (each): each is Record<string, unknown> => typeof each === 'object' && each !== null,
  );
}

/** Read a URL as people give it: a ready link with its token, an address without a scheme, one with `/ui/`. */
export function readServerUrl(text: string): { url: string; token: string | null } | null {
  const trimmed = text.trim();
  if (trimmed === '') {
    return null;
  }
  const written = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `http://${trimmed}`;
  let parsed: URL;
  try {
    parsed = new URL(written);
  } catch {
    return null;
  }
  if (!['http:', 'https:'].includes(parsed.protocol) || parsed.username || parsed.password) {
    return null;
  }
  const token = new URLSearchParams(parsed.hash.slice(1)).get('token');
  const path = parsed.pathname.replace(/\/ui(\/.*)?$/, '').replace(/\/$/, '');
  return { url: parsed.origin + path, token };
}

/** The address that opens a server's own Inspector, with its token where no server sees it. */
export function inspectorUrl(url: string, token: string | null): string {
  return `${url}/ui/${token ? `#token=${encodeURIComponent(token)}` : ''}`;
}

function stored(): SavedServer[] {
  try {
    const read: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(read)
      ? read.flatMap((each) => {
          const found = typeof each?.url === 'string' ? readServerUrl(each.url) : null;
          return found ? [{ url: found.url }] : [];
        })
      : [];
  } catch {
    return [];
  }
}

export const useServers = create<{ hub: Hub; saved: readonly SavedServer[] }>(() => ({
  hub: { state: 'unknown' },
  saved: typeof window === 'undefined' ? [] : stored(),
}));

function keep(saved: readonly SavedServer[]): void {
  useServers.setState({ saved });
  try {
    localStorage.setItem(KEY, JSON.stringify(saved));
  } catch {
    // Not kept by this browser; known until the page is closed.
  }
}

export function saveServer(url: string): void {
  const { saved } = useServers.getState();
  if (url !== ownServerUrl() && !saved.some((each) => each.url === url)) {
    keep([...saved, { url }]);
  }
}

export function forgetServer(url: string): void {
  keep(useServers.getState().saved.filter((each) => each.url !== url));
}

/** Ask whether this page is served by a hub, which wants its token first. An ordinary server has no such list. */
export async function askForHub(token: string | null): Promise<Hub> {
  try {
    const response = await fetch(`${ROOT}/servers.json`, {
      headers: token ? { Authorization: `Bearer ${token}` } : {},
    });
    if (response.status === 401) {
      return { state: 'locked' };
    }
    const isJson = response.headers.get('content-type')?.includes('json');
    const list = response.ok && isJson ? readHub(await response.json()) : null;
    return list ? { state: 'present', ...list } : { state: 'absent' };
  } catch {
    return { state: 'absent' };
  }
}

export async function findHub(token: string | null): Promise<void> {
  useServers.setState({ hub: await askForHub(token) });
}

/** Ask again which servers there are. One that does not answer for once changes nothing. */
export async function refreshHub(token: string | null): Promise<void> {
  const hub = await askForHub(token);
  if (hub.state === 'present' || hub.state === 'locked') {
    useServers.setState({ hub });
  }
}

/** The base of a server's API: below the hub's address, or right here. */
export function apiUrl(server: string | null): string {
  const own = ownServerUrl();
  return server === null ? own : `${own}/servers/${encodeURIComponent(server)}`;
}
