import type { Connection, SessionInfo } from 'sandbox-agent-client';
import { expect, test } from 'vitest';
import { fitsInList, onceOption, summaryOf } from '../../src/sessions/request-summary.ts';
import { listRows, rowHeights, totalHeight, visibleRange } from '../../src/sessions/rows.ts';
import { nextUnread } from '../../src/sessions/unread.ts';
import { connectionNews } from '../../src/shell/connection-state.ts';
import { rank, ranked } from '../../src/shell/ranking.ts';
import { inspectorUrl, readHub, readServerUrl } from '../../src/shell/servers.ts';
import { ownScriptUrl } from '../../src/shell/trusted-types.ts';

const lost = (state: Connection['state'], since: number, more: Partial<Connection> = {}) =>
  ({ state, since, attempt: 1, ...more }) satisfies Connection;

test('a blink of the network is nobody’s business, and half a minute offers to try now', () => {
  const connection = lost('reconnecting', 0, { reason: 'refused' });
  expect(connectionNews(connection, 900, false).kind).toBe('nothing');
  expect(connectionNews(connection, 3400, false)).toEqual({
    kind: 'reconnecting',
    seconds: 3,
    reason: null,
    offersRetry: false,
  });
  expect(connectionNews(connection, 31_000, true)).toMatchObject({
    reason: 'refused',
    offersRetry: true,
  });
});

test('a server that was never reached is told of, with the reason and a way to try now', () => {
  expect(connectionNews(lost('connecting', 0, { attempt: 0 }), 9000, false).kind).toBe('nothing');
  expect(connectionNews(lost('connecting', 0), 900, false).kind).toBe('nothing');
  const reason = 'No answer';
  expect(connectionNews(lost('connecting', 0, { reason }), 3000, false)).toEqual({
    kind: 'reconnecting',
    seconds: 3,
    reason,
    offersRetry: true,
  });
});

test('that it is back is said for two seconds, and only if it was said that it was gone', () => {
  const connection = lost('live', 0, { caughtUp: 214 });
  expect(connectionNews(connection, 500, true)).toEqual({ kind: 'caught-up', events: 214 });
  expect(connectionNews(connection, 500, false).kind).toBe('nothing');
  expect(connectionNews(connection, 2500, true).kind).toBe('nothing');
});

test.each([
  ['http://h:1/ui/#token=a%20b', { url: 'http://h:1', token: 'a b' }],
  ['h.example:2468', { url: 'http://h.example:2468', token: null }],
  ['https://h/box/7/ui/s/1', { url: 'https://h/box/7', token: null }],
  ['https://h/', { url: 'https://h', token: null }],
  ['javascript://h/%0aalert(1)', null],
  ['https://user:secret@h/', null],
  ['', null],
  ['http://', null],
])('a server is given as %s', (text, expected) => {
  expect(readServerUrl(text)).toEqual(expected);
});

test('the token goes on in a fragment', () => {
  expect(inspectorUrl('https://h', 'a&b')).toBe('https://h/ui/#token=a%26b');
  expect(inspectorUrl('https://h', null)).toBe('https://h/ui/');
});

test('the hub’s list is taken as far as it is one', () => {
  const row = { name: 'box', provider: 'docker', state: 'running', prefix: '/servers/box' };
  const problems = [{ provider: 'e2b', detail: 'no key' }, { provider: 'x' }, 7];
  expect(readHub({ servers: [row, { name: 7 }, null, { name: 'b' }], problems })).toEqual({
    servers: [
      { name: 'box', provider: 'docker', state: 'running' },
      { name: 'b', provider: null, state: null },
    ],
    problems: [{ provider: 'e2b', detail: 'no key' }],
  });
  expect(readHub({ servers: [] })).toEqual({ servers: [], problems: [] });
  expect(readHub('<html>')).toBeNull();
  expect(readHub({ servers: 'many' })).toBeNull();
});

test('workers are of this origin, or not at all', () => {
  expect(ownScriptUrl('/ui/assets/w.js', 'http://h/ui/s/1')).toBe('http://h/ui/assets/w.js');
  expect(() => ownScriptUrl('https://elsewhere/w.js', 'http://h/ui/')).toThrow(TypeError);
  expect(() => ownScriptUrl('data:text/javascript,1', 'http://h/ui/')).toThrow(TypeError);
});

test('beginnings of words fit best, and letters must be near each other', () => {
  const names = ['Show or hide the sessions', 'New session', 'Notifications off'];
  expect(ranked(names, 'ses', (each) => each, 2)).toEqual([
    'Show or hide the sessions',
    'New session',
  ]);
  expect(ranked(names, 'new ses', (each) => each, 9)).toEqual(['New session']);
  expect(rank('New session', 'nses')).not.toBeNull();
  expect(rank('New session', 'xyz')).toBeNull();
  expect(ranked(names, ' ', (each) => each, 1)).toEqual([names[0]]);
});

function session(id: string, status: SessionInfo['status']): SessionInfo {
  const time = new Date(0).toISOString();
  return { id, agent: 'mock', cwd: '/', status, createdAt: time, updatedAt: time, lastSeq: 1 };
}

test('unread is what stopped running while one looked elsewhere; going to sleep is no news', () => {
  const before = new Map<string, SessionInfo['status']>([
    ['done', 'running'],
    ['open', 'running'],
    ['slept', 'idle'],
    ['asks', 'running'],
  ]);
  const now = [
    session('done', 'idle'),
    session('open', 'idle'),
    session('slept', 'dormant'),
    session('asks', 'waiting'),
    session('new', 'idle'),
  ];
  const unread = nextUnread(new Set(), before, now, 'open');
  expect([...unread]).toEqual(['done']);
  expect(nextUnread(unread, new Map(), now, null)).toBe(unread);
  expect(nextUnread(unread, new Map(), [session('done', 'running')], null).size).toBe(0);
});

test('of thousands of rows those in view are found, wherever it is scrolled to', () => {
  const sessions = new Map(
    Array.from(
      { length: 5000 },
      (_, index) => [`s${index}`, session(`s${index}`, 'idle')] as const,
    ),
  );
  const places = [...sessions.keys()].map((id) => ({ id, group: 'earlier' as const }));
  const rows = listRows(places, sessions, new Map(), rowHeights(false, false));
  const whole = totalHeight(rows);
  expect(whole).toBe(32 + 5000 * 52);
  for (const top of [0, 1, 1000, 130_000, whole - 800]) {
    const { from, to } = visibleRange(rows, top, 800, 0);
    const [first, last] = [rows[from], rows[to - 1]];
    expect(first && first.top <= top).toBe(true);
    expect(last && last.top + last.height >= Math.min(whole, top + 800)).toBe(true);
    expect(to - from).toBeLessThan(20);
  }
});

const REQUEST = {
  id: 'r',
  kind: 'permission',
  askedAt: '',
  expiresAt: '',
  default: 'deny',
  command: 'git push',
  options: [
    { optionId: 'a', kind: 'allow_always' },
    { optionId: 'o', kind: 'allow_once' },
  ],
} as const;

test('only what can be seen whole can be allowed in the list, and only for once', () => {
  const asked = { ...REQUEST, options: [...REQUEST.options] };
  expect(summaryOf(asked)).toBe('Run: git push');
  expect(fitsInList(asked, 30)).toBe(true);
  expect(fitsInList(asked, 12)).toBe(false);
  expect(fitsInList({ ...asked, command: 'ls \u202e' }, 30)).toBe(false);
  expect(onceOption(asked, 'allow_once')).toBe('o');
  expect(onceOption(asked, 'reject_once')).toBeNull();
  expect(fitsInList({ ...asked, command: `git push ${'x'.repeat(40)}` }, 30)).toBe(false);
  expect(fitsInList({ ...asked, command: 'a\nrm -rf /' }, 30)).toBe(false);
  expect(fitsInList({ ...asked, paths: ['/etc/passwd'] }, 30)).toBe(false);
  expect(fitsInList({ ...asked, hook: 'before_tool' }, 30)).toBe(false);
  expect(fitsInList({ ...asked, kind: 'question' }, 30)).toBe(false);
  expect(fitsInList({ ...asked, options: [{ optionId: 'a', kind: 'allow_always' }] }, 30)).toBe(
    false,
  );
});
