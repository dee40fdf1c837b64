import { expect, test } from 'vitest';
import { appPlace, appRoot, pathBelow } from '../../src/shell/base.ts';
import { parseRoute, paths } from '../../src/shell/routes.ts';

const read = (path: string) => {
  const [pathname = '', query = ''] = path.split('?');
  return parseRoute(pathname, query);
};

test.each([
  [paths.sessions(), { room: 'sessions' }],
  [paths.session('a b/ü%'), { room: 'session', id: 'a b/ü%', at: { kind: 'end' } }],
  [paths.turn('s', 't/1'), { room: 'session', id: 's', at: { kind: 'turn', turnId: 't/1' } }],
  [paths.event('s', 42), { room: 'session', id: 's', at: { kind: 'event', seq: 42 } }],
  [paths.activity('s'), { room: 'session', id: 's', at: { kind: 'activity' } }],
  [paths.diff('s'), { room: 'session', id: 's', at: { kind: 'diff', turnId: null } }],
  [paths.diff('s', 't'), { room: 'session', id: 's', at: { kind: 'diff', turnId: 't' } }],
  [
    paths.sessionFiles('s', '/w/a b#?.py', 'L10-L20'),
    { room: 'session', id: 's', at: { kind: 'files', path: '/w/a b#?.py', lines: 'L10-L20' } },
  ],
  [paths.files(), { room: 'files', path: null, lines: null }],
  [paths.files('/x/<img>\n.md'), { room: 'files', path: '/x/<img>\n.md', lines: null }],
  [paths.newSession(), { room: 'new' }],
  [
    paths.newSession({ agent: 'mock', cwd: '/w', prompt: 'a & b' }),
    { room: 'new', agent: 'mock', cwd: '/w', prompt: 'a & b' },
  ],
  [paths.agents('claude'), { room: 'agents', name: 'claude' }],
  [paths.server(), { room: 'server', section: null }],
  [paths.inbox(), { room: 'inbox' }],
])('%s is read back as it was written', (path, route) => {
  expect(read(path)).toEqual(route);
});

test.each(['/s', '/s/x/y/z', '/s/x/e/one', '/nowhere', '/s/x/t', '/s/x/t/1/2'])(
  '%s leads nowhere, and says so',
  (path) => {
    expect(read(path).room).toBe('missing');
  },
);

test('a broken escape is a name nobody has, not an error', () => {
  expect(read('/s/%E0%A4%A')).toEqual({ room: 'session', id: '%E0%A4%A', at: { kind: 'end' } });
});

test('the app finds its root from where its script came, and servers of the hub below it', () => {
  expect(appRoot('https://h.example/ui/assets/index-1.js', '/ui/')).toBe('/ui');
  expect(appRoot('https://h.example/box/7/ui/assets/index-1.js', '/ui/')).toBe('/box/7/ui');
  expect(appRoot('http://h.example/src/shell/base.ts', '/ui/')).toBe('/ui');
  expect(appPlace('/ui', '/ui/s/1')).toEqual({ base: '/ui', server: null });
  expect(appPlace('/ui', '/ui/servers/my%20box/s/1')).toEqual({
    base: '/ui/servers/my%20box',
    server: 'my box',
  });
  expect(pathBelow('/ui/servers/my%20box', '/ui/servers/my%20box/s/1')).toBe('/s/1');
  expect(pathBelow('/ui', '/ui')).toBe('/');
});
