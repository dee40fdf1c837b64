import type { RequestInfo, SessionInfo } from 'sandbox-agent-client';
import { expect, test } from 'vitest';
import { groupSessions, requestsBySession } from '../../src/sessions/grouping.ts';
import { ageOf, countdown, titleOf } from '../../src/sessions/naming.ts';
import { isFound, parseQuery, toggleFilter } from '../../src/sessions/search.ts';
import { countMoved, heldOrder, placesOf } from '../../src/sessions/steady-order.ts';

const NOW = new Date(2026, 4, 20, 12, 0, 0).getTime();
const at = (hoursAgo: number) => new Date(NOW - hoursAgo * 3_600_000).toISOString();

function session(id: string, more: Partial<SessionInfo> = {}): SessionInfo {
  const time = at(1);
  return {
    id,
    agent: 'mock',
    cwd: '/w/site',
    status: 'idle',
    createdAt: time,
    updatedAt: time,
    lastSeq: 1,
    ...more,
  };
}

function request(sessionId: string, expiresAt: string): RequestInfo {
  return {
    id: `r-${sessionId}`,
    sessionId,
    kind: 'permission',
    askedAt: at(1),
    expiresAt,
    default: 'deny',
  };
}

const layout = (sessions: SessionInfo[], requests: RequestInfo[] = []) =>
  groupSessions(sessions, requestsBySession(requests), NOW).map((group) => [
    group.id,
    group.sessions.map((each) => each.id),
  ]);

test('what waits is on top by its deadline, then what runs, then the days', () => {
  const sessions = [
    session('old', { updatedAt: at(24 * 30) }),
    session('today'),
    session('run-1', { status: 'running', createdAt: at(3), updatedAt: at(0) }),
    session('run-2', { status: 'background', createdAt: at(2), updatedAt: at(1) }),
    session('late', { status: 'waiting' }),
    session('soon', { status: 'idle' }),
    session('yesterday', { updatedAt: at(20), status: 'ended' }),
    session('week', { updatedAt: at(24 * 4), status: 'dormant' }),
  ];
  const requests = [request('late', at(-2)), request('soon', at(-1))];
  expect(layout(sessions, requests)).toEqual([
    ['waiting', ['soon', 'late']],
    ['running', ['run-2', 'run-1']],
    ['today', ['today']],
    ['yesterday', ['yesterday']],
    ['week', ['week']],
    ['earlier', ['old']],
  ]);
});

test('a request that was answered waits for nobody', () => {
  const answered: RequestInfo = {
    ...request('a', at(-1)),
    resolution: {
      requestId: 'r-a',
      kind: 'permission',
      outcome: 'selected',
      decidedBy: 'user',
      resolvedAt: at(0),
    },
  };
  expect(layout([session('a')], [answered])).toEqual([['today', ['a']]]);
});

test('each event of a running session leaves the order as it was', () => {
  const one = session('one', { status: 'running', createdAt: at(2), updatedAt: at(0) });
  const two = session('two', { status: 'running', createdAt: at(1), updatedAt: at(1) });
  expect(layout([one, two])).toEqual(layout([{ ...one, updatedAt: at(-1) }, two]));
});

test('the held order loses what is gone, and counts what would move', () => {
  const before = placesOf(
    groupSessions(
      [session('a'), session('b', { updatedAt: at(2) }), session('c', { updatedAt: at(3) })],
      new Map(),
      NOW,
    ),
  );
  const after = placesOf(
    groupSessions(
      [session('a'), session('c', { updatedAt: at(0) }), session('new', { status: 'running' })],
      new Map(),
      NOW,
    ),
  );
  const held = heldOrder(before, after);
  expect(held.map((each) => each.id)).toEqual(['a', 'c']);
  expect(countMoved(held, after)).toBe(2);
  expect(countMoved(after, after)).toBe(0);
});

test('words and filters are read from one line', () => {
  expect(parseQuery('fix agent:claude,codex status:running team:"red panda" http://x')).toEqual({
    words: ['fix', 'http://x'],
    agents: ['claude', 'codex'],
    statuses: ['running'],
    metadata: [['team', 'red panda']],
  });
  expect(parseQuery('  ""  ')).toEqual({ words: [], agents: [], statuses: [], metadata: [] });
});

test('search looks at titles, ids, agents, folders and metadata', () => {
  const one = session('s-1', { title: 'Fix the Login', metadata: { team: 'red', run: 7 } });
  const finds = (text: string) => isFound(one, parseQuery(text));
  expect(
    ['login', 'fix login', 's-1', 'MOCK', 'site', 'team:red', 'run:7', 'agent:mock', 'red'].every(
      finds,
    ),
  ).toBe(true);
  expect(
    ['logout', 'team:blue', 'agent:claude', 'status:ended', 'fix agent:claude'].some(finds),
  ).toBe(false);
});

test('the menu of filters writes what could have been typed', () => {
  const once = toggleFilter('fix', 'agent', 'mock');
  expect(once).toBe('agent:mock fix');
  const twice = toggleFilter(once, 'agent', 'pi');
  expect(parseQuery(twice).agents).toEqual(['mock', 'pi']);
  expect(toggleFilter(toggleFilter(twice, 'agent', 'mock'), 'agent', 'pi')).toBe('fix');
});

test('a session is called by its title, else by its first prompt, else by its place', () => {
  expect(titleOf(session('a', { title: ' Nice ' }))).toBe('Nice');
  expect(titleOf(session('a', { firstPrompt: 'Do this\nand that' }))).toBe('Do this');
  expect(titleOf(session('a'))).toBe('mock in site');
});

test('ages and countdowns are short', () => {
  expect([at(0), at(0.5), at(5), at(49)].map((time) => ageOf(time, NOW))).toEqual([
    'now',
    '30m',
    '5h',
    '2d',
  ]);
  expect(ageOf('nonsense', NOW)).toBe('');
  expect(countdown(new Date(NOW + 571_000).toISOString(), NOW)).toBe('9:31');
  expect(countdown(at(1), NOW)).toBe('0:00');
  expect(countdown(at(-5), NOW)).toBe('5 h');
});
