import type { PermissionItem } from 'sandbox-agent-client';
import { expect, test } from 'vitest';
import { fromItem } from '../../src/requests/model.ts';
import { ago, editedInput, isInside, otherInput } from '../../src/requests/subject.ts';
import { asksTo, outcomeWords, remaining, requestLine } from '../../src/requests/wording.ts';

function permission(more: Partial<PermissionItem>) {
  return fromItem('ses', {
    type: 'permission',
    seq: 3,
    time: '2026-11-23T12:00:00Z',
    requestId: 'req_1',
    paths: [],
    options: [{ optionId: 'yes', name: 'Yes', kind: 'allow_once' }],
    ...more,
  });
}

function words(more: Partial<PermissionItem>): string {
  const request = permission(more);
  if (!request.outcome) throw new Error('it has no outcome');
  const { text, by } = outcomeWords(request, request.outcome);
  return by ? `${text} by ${by}` : text;
}

const ALLOWED = { outcome: 'selected', optionId: 'yes', optionKind: 'allow_once' } as const;
const DENIED = { outcome: 'selected', optionId: 'no', optionKind: 'reject_once' } as const;

test('who or what decided is said in words', () => {
  expect(words({ ...ALLOWED, decidedBy: 'user', actor: 'ana' })).toBe('Allowed once by ana');
  expect(words({ ...ALLOWED, decidedBy: 'user' })).toBe('Allowed once');
  expect(words({ ...DENIED, decidedBy: 'user', actor: 'ben' })).toBe('Denied by ben');
  expect(words({ ...ALLOWED, decidedBy: 'policy', rule: 'rule 3' })).toBe('Allowed once by rule 3');
  expect(words({ ...DENIED, decidedBy: 'policy', rule: 'mode plan' })).toBe(
    'Denied by the mode “plan”',
  );
  expect(words({ ...DENIED, decidedBy: 'policy', rule: 'no pushing' })).toBe(
    'Denied by the rule “no pushing”',
  );
  expect(words({ ...DENIED, decidedBy: 'timeout' })).toBe('Expired: denied by its deadline');
  expect(words({ ...ALLOWED, decidedBy: 'timeout' })).toBe('Expired: allowed by its deadline');
  expect(words({ outcome: 'cancelled', decidedBy: 'cancel' })).toBe('Withdrawn');
  expect(words({ outcome: 'cancelled', decidedBy: 'user', reply: 'reject' })).toBe('Denied');
  expect(words({ ...ALLOWED, decidedBy: 'user', scope: 'session' })).toBe(
    'Allowed for this session',
  );
  expect(words({ ...ALLOWED, decidedBy: 'user', updatedInput: {} })).toContain('another input');
});

test('a card says what is asked, and a list in one line', () => {
  const files = { toolCall: { toolCallId: 'c', kind: 'edit' as const }, paths: ['/a', '/b'] };
  expect(asksTo(permission(files))).toBe('asks to change 2 files');
  expect(requestLine(permission(files))).toBe('/a +1');
  expect(asksTo(permission({ command: 'git push' }))).toBe('asks to run a command');
  expect(requestLine(permission({ command: 'git push', paths: ['/a'] }))).toBe('git push');
  expect(asksTo(permission({}))).toBe('asks to use a tool');
});

test('time is as fine as somebody counts', () => {
  expect([0, 999, 571_000, 3_600_000, 172_800_000].map(remaining)).toEqual([
    '0:00',
    '0:01',
    '9:31',
    '1 h 00 min',
    '2 days',
  ]);
  expect([500, 3000, 120_000, 7_200_000, 172_800_000].map(ago)).toEqual([
    'just now',
    '3 s ago',
    '2 min ago',
    '2 h ago',
    '2 d ago',
  ]);
});

test('paths out of the workspace are found, however they are written', () => {
  expect(isInside('/ws/a', '/ws')).toBe(true);
  expect(isInside('a/../b', '/ws')).toBe(true);
  expect(isInside('/ws/../etc/passwd', '/ws')).toBe(false);
  expect(isInside('../x', '/ws')).toBe(false);
  expect(isInside('/wsx/a', '/ws')).toBe(false);
  expect(isInside('~/.ssh/id', '/ws')).toBe(false);
  expect(isInside('/other/a', '/ws', ['/other'])).toBe(true);
});

test('the rest of an input is shown, what is shown already is not', () => {
  const call = (input: Record<string, unknown>) => ({
    toolCall: { toolCallId: 'c', kind: 'execute' as const, input },
  });
  const command = 'touch x && echo made';
  const told = { command, commands: [command], description: 'Run', timeout: 5, cwd: '/ws' };
  expect(otherInput(permission({ ...call(told), command }))).toEqual({ timeout: 5 });
  expect(otherInput(permission(call({ query: 'news' })))).toEqual({ query: 'news' });
  const shell = { cmd: ['bash', '-lc', command] };
  expect(otherInput(permission({ ...call(shell), command }))).toBeNull();
});

test('an edited input is the input with what was edited, or a reason', () => {
  expect(editedInput({ command: 'ls', timeout: 5 }, 'ls -l')).toEqual({
    command: 'ls -l',
    timeout: 5,
  });
  expect(editedInput({ command: ['ls'] }, '{"command":["pwd"]}')).toEqual({ command: ['pwd'] });
  for (const text of ['{', '[]', '3']) expect(typeof editedInput({ a: 1 }, text)).toBe('string');
  expect(typeof editedInput({ command: 'ls' }, '  ')).toBe('string');
});
