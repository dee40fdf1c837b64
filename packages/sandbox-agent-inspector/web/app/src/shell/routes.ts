/** What an address below `/ui/` means, and how it is written. Pure, so that links in exports and tests say the same. */

export type Route =
  | { room: 'sessions' }
  | { room: 'session'; id: string; at: SessionPlace }
  | { room: 'new'; agent?: string; cwd?: string; prompt?: string }
  | { room: 'inbox' }
  | { room: 'files'; path: string | null; lines: string | null }
  | { room: 'terminals' }
  | { room: 'processes' }
  | { room: 'ports' }
  | { room: 'agents'; name: string | null }
  | { room: 'config' }
  | { room: 'server'; section: string | null }
  | { room: 'missing'; path: string };

/** Where in a session a link points. */
export type SessionPlace =
  | { kind: 'end' }
  | { kind: 'turn'; turnId: string }
  | { kind: 'event'; seq: number }
  | { kind: 'files'; path: string | null; lines: string | null }
  | { kind: 'diff'; turnId: string | null }
  /** What happens beside the conversation, on a screen that shows one thing at a time. */
  | { kind: 'activity' };

export interface NewSessionFields {
  agent?: string;
  cwd?: string;
  prompt?: string;
}

const part = encodeURIComponent;

function filePath(path?: string | null, lines?: string | null): string {
  if (!path) {
    return '';
  }
  const written = path.split('/').map(part).join('/');
  return `/${written.replace(/^\//, '')}${lines ? `?${lines}` : ''}`;
}

export const paths = {
  sessions: () => '/',
  session: (id: string) => `/s/${part(id)}`,
  turn: (id: string, turnId: string) => `/s/${part(id)}/t/${part(turnId)}`,
  event: (id: string, seq: number) => `/s/${part(id)}/e/${seq}`,
  diff: (id: string, turnId?: string | null) =>
    `/s/${part(id)}/diff${turnId ? `/${part(turnId)}` : ''}`,
  activity: (id: string) => `/s/${part(id)}/activity`,
  /** Files of a session; `lines` is as in `L10-L20`. */
  sessionFiles: (id: string, path?: string | null, lines?: string | null) =>
    `/s/${part(id)}/files${filePath(path, lines)}`,
  files: (path?: string | null, lines?: string | null) => `/files${filePath(path, lines)}`,
  newSession: (fields: NewSessionFields = {}) => {
    const query = new URLSearchParams();
    for (const name of ['agent', 'cwd', 'prompt'] as const) {
      const value = fields[name];
      if (value) {
        query.set(name, value);
      }
    }
    const text = query.toString();
    return text ? `/new?${text}` : '/new';
  },
  inbox: () => '/inbox',
  terminals: () => '/terminals',
  processes: () => '/processes',
  ports: () => '/ports',
  agents: (name?: string | null) => (name ? `/agents/${part(name)}` : '/agents'),
  config: () => '/config',
  server: (section?: string | null) => (section ? `/server/${part(section)}` : '/server'),
};

function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function linesOf(query: string): string | null {
  const found = /^\??(L\d+(?:-L\d+)?)$/.exec(query);
  return found?.[1] ?? null;
}

function fileAt(parts: string[], query: string) {
  return {
    path: parts.length > 0 ? `/${parts.map(plain).join('/')}` : null,
    lines: linesOf(query),
  };
}

function sessionPlace(parts: string[], query: string): SessionPlace | null {
  const [kind, ...rest] = parts;
  const value = rest[0];
  if (kind === undefined) {
    return { kind: 'end' };
  }
  if (kind === 't' && value && rest.length === 1) {
    return { kind: 'turn', turnId: plain(value) };
  }
  if (kind === 'e' && value && rest.length === 1 && /^\d{1,15}$/.test(value)) {
    return { kind: 'event', seq: Number(value) };
  }
  if (kind === 'activity' && rest.length === 0) {
    return { kind: 'activity' };
  }
  if (kind === 'files') {
    return { kind: 'files', ...fileAt(rest, query) };
  }
  if (kind === 'diff' && rest.length <= 1) {
    return { kind: 'diff', turnId: value ? plain(value) : null };
  }
  return null;
}

/** Read a path below the app's base (`/s/x`) and its query. What nobody knows is `missing`, never an error. */
export function parseRoute(path: string, query = ''): Route {
  const parts = path.split('/').filter((each) => each !== '');
  const [room, ...rest] = parts;
  const value = rest[0];
  switch (room) {
    case undefined:
      return { room: 'sessions' };
    case 's': {
      const at = sessionPlace(rest.slice(1), query);
      return value && at ? { room: 'session', id: plain(value), at } : { room: 'missing', path };
    }
    case 'new': {
      const fields = new URLSearchParams(query);
      const route: Route = { room: 'new' };
      for (const name of ['agent', 'cwd', 'prompt'] as const) {
        const text = fields.get(name);
        if (text) {
          route[name] = text;
        }
      }
      return route;
    }
    case 'files':
      return { room: 'files', ...fileAt(rest, query) };
    case 'agents':
      return { room: 'agents', name: value ? plain(value) : null };
    case 'server':
      return { room: 'server', section: value ? plain(value) : null };
    case 'inbox':
    case 'terminals':
    case 'processes':
    case 'ports':
    case 'config':
      return { room };
    default:
      return { room: 'missing', path };
  }
}
