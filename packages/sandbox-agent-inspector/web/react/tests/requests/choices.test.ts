import type { PermissionItem } from 'sandbox-agent-client';
import { describe, expect, test } from 'vitest';
import { choicesOf, readAbilities, refusal, withInput } from '../../src/requests/choices.ts';
import { fromInfo, fromItem } from '../../src/requests/model.ts';

type Options = PermissionItem['options'];

const ONCE = { optionId: 'yes', name: 'Yes', kind: 'allow_once' };
const ALWAYS = { optionId: 'always', name: 'Always allow', kind: 'allow_always' };
const NO = { optionId: 'no', name: 'No', kind: 'reject_once' };
const NEVER = { optionId: 'never', name: 'Never', kind: 'reject_always' };
const NOTHING = { message: false, updatedInput: false, onReject: false };
const EVERYTHING = { message: true, updatedInput: true, onReject: true };

function permission(options: Options, more: Partial<PermissionItem> = {}) {
  return fromItem('ses', {
    type: 'permission',
    seq: 3,
    time: '2026-11-23T12:00:00Z',
    requestId: 'req_1',
    paths: [],
    options,
    ...more,
  });
}

describe('choices', () => {
  test('are by kind, whatever the order and the names of the agent', () => {
    const choices = choicesOf(permission([ALWAYS, NEVER, NO, ONCE]));
    expect(choices.allow?.body).toEqual({ optionId: 'yes' });
    expect(choices.deny?.body).toEqual({ optionId: 'no' });
    expect(choices.always.map((one) => one.body)).toEqual([{ optionId: 'always' }]);
    expect(choices.refusals.map((one) => one.body)).toEqual([{ optionId: 'never' }]);
  });

  test('where the agent keeps nothing for the session, the server offers to', () => {
    const choices = choicesOf(permission([ONCE, NO], { command: 'make test' }));
    expect(choices.always).toMatchObject([{ body: { reply: 'allow', scope: 'session' } }]);
    expect(choices.always[0]?.holds).toContain('This very command');
  });

  test('what outlives the session says so', () => {
    const user = { optionId: 'proceed_always_user', name: 'Always', kind: 'allow_always' };
    const choices = choicesOf(permission([user, ONCE, NO]));
    expect(choices.always[0]?.holds).toContain('after this session');
    expect(choices.always[1]?.body).toEqual({ reply: 'allow', scope: 'session' });
  });

  test('an agent without a refusal is refused all the same', () => {
    expect(choicesOf(permission([ONCE])).deny?.body).toEqual({ reply: 'reject' });
  });

  test('options of no kind that is known stand for themselves', () => {
    const choices = choicesOf(
      permission([{ optionId: 'x', name: 'Other', kind: 'later' }, ONCE, NO]),
    );
    expect(choices.others).toMatchObject([{ label: 'Other', body: { optionId: 'x' } }]);
  });

  test('a hook is answered as a hook, also where a permission asks for it', () => {
    const model = { ...permission([ONCE, NO]), hook: 'before_tool' as const };
    const { allow, deny, others } = choicesOf(model);
    expect(allow?.body).toEqual({ hook: { decision: 'allow' } });
    expect(deny?.body).toEqual({ hook: { decision: 'deny' } });
    expect(others.map((one) => one.body)).toEqual([{ hook: { decision: 'ask' } }, { hook: {} }]);
  });
});

describe('answers', () => {
  const deny = { id: 'no', label: 'Deny', holds: '', body: { optionId: 'no' } };
  const hook = {
    id: 'deny',
    label: 'Deny',
    holds: '',
    body: { hook: { decision: 'deny' as const } },
  };

  test('a reason goes with the refusal where the agent takes it', () => {
    expect(refusal(deny, { message: ' no ', onReject: 'continue' }, EVERYTHING)).toEqual({
      body: { optionId: 'no', message: 'no', onReject: 'continue' },
      prompt: null,
    });
  });

  test('and is the next prompt where it takes none', () => {
    expect(refusal(deny, { message: 'no', onReject: 'stop' }, NOTHING)).toEqual({
      body: { optionId: 'no', onReject: 'stop' },
      prompt: 'no',
    });
  });

  test('a turn cannot be told to go on where the agent does not take it', () => {
    expect(refusal(deny, { message: '', onReject: 'continue' }, NOTHING)).toEqual({
      body: { optionId: 'no' },
      prompt: null,
    });
  });

  test('a hook is told why', () => {
    expect(refusal(hook, { message: 'no', onReject: null }, NOTHING)).toEqual({
      body: { hook: { decision: 'deny', message: 'no' } },
      prompt: null,
    });
  });

  test('another input goes with an allowance, of a hook too', () => {
    const input = { command: 'ls' };
    expect(withInput({ ...deny, body: { optionId: 'yes' } }, input)).toEqual({
      optionId: 'yes',
      updatedInput: input,
    });
    expect(withInput({ ...hook, body: { hook: { decision: 'allow' } } }, input)).toEqual({
      hook: { decision: 'allow', updatedInput: input },
    });
  });

  test('abilities are read from whatever an agent states', () => {
    const told = { _meta: { sandbox_agent: { permissionAnswers: ['message', 'onReject'] } } };
    expect(readAbilities(told)).toEqual({ message: true, updatedInput: false, onReject: true });
    for (const odd of [null, 3, {}, { _meta: 'x' }, { _meta: { sandbox_agent: [] } }]) {
      expect(readAbilities(odd)).toEqual(NOTHING);
    }
  });
});

test('the inbox and the conversation tell the same of a request', () => {
  const call = { toolCallId: 'c1', title: 'touch x', kind: 'execute' };
  const shared = { command: 'touch x', paths: ['/ws/x'], options: [ONCE, NO] };
  const item = permission(shared.options, {
    command: shared.command,
    paths: shared.paths,
    toolCall: { ...call, kind: 'execute', input: { command: 'touch x', cwd: '/ws' } },
    expiresAt: '2026-11-23T13:00:00Z',
    default: 'deny',
  });
  const info = fromInfo('ses', {
    id: 'req_1',
    kind: 'permission',
    askedAt: '2026-11-23T12:00:00Z',
    expiresAt: '2026-11-23T13:00:00Z',
    default: 'deny',
    ...shared,
    questions: [],
    toolCall: { ...call, rawInput: { command: 'touch x', cwd: '/ws' } },
  });
  expect(info).toEqual(item);
});
