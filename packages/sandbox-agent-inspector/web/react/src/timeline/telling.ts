import { type EventLike, firstLine, member, textMember } from './event.ts';

/** What a row says of its events, in words of ours around words of theirs. */
export interface Telling {
  title: string;
  detail: string;
}

function command(data: unknown): string {
  const given = textMember(data, 'command');
  if (given) return given;
  const input = member(data, 'input');
  const nested = textMember(input, 'command') || textMember(input, 'cmd');
  if (nested) return nested;
  const words = member(input, 'command');
  return Array.isArray(words) ? words.filter((word) => typeof word === 'string').join(' ') : '';
}

function toolTitle(data: unknown): string {
  return textMember(data, 'title') || command(data) || textMember(data, 'name');
}

function count(data: unknown, name: string): number {
  const value = member(data, name);
  return Array.isArray(value) ? value.length : 0;
}

function faultOf(data: unknown): string {
  return textMember(member(data, 'error'), 'message');
}

function answer(data: unknown): string {
  const by = textMember(data, 'actor') || textMember(data, 'decidedBy');
  const what =
    textMember(data, 'optionName') ||
    textMember(data, 'decision') ||
    textMember(data, 'outcome') ||
    'resolved';
  return by ? `${what}, ${by}` : what;
}

function changed(data: unknown): string {
  const totals = member(data, 'totals');
  const number = (name: string) => Number(member(totals, name) ?? 0);
  const skipped = textMember(data, 'skipped');
  if (skipped) return `nothing known: ${textMember(data, 'detail') || skipped}`;
  const files = number('files');
  return `${files} ${files === 1 ? 'file' : 'files'} +${number('additions')} −${number('deletions')}`;
}

function number(data: unknown, name: string): string {
  const value = member(data, name);
  return typeof value === 'number' ? value.toLocaleString('en') : '';
}

/** A turn that nobody prompted. */
const ORIGINS: Readonly<Record<string, string>> = {
  prompt: 'a prompt',
  agent: 'went on by itself',
  compact: 'compacts its context',
  review: 'reviews the changes',
};

type Teller = (data: unknown) => Telling;

const say =
  (title: (data: unknown) => string, detail: (data: unknown) => string = () => ''): Teller =>
  (data) => ({ title: firstLine(title(data)), detail: firstLine(detail(data)) });

const TELLERS: Readonly<Record<string, Teller>> = {
  'session.created': say(
    (data) => textMember(data, 'agent'),
    (data) => textMember(data, 'cwd'),
  ),
  'session.updated': say(
    () => 'changed',
    (data) => Object.keys((data as object) ?? {}).join(', '),
  ),
  'session.resumed': say(
    (data) => textMember(data, 'continuity'),
    (data) => textMember(data, 'reason'),
  ),
  'session.rewound': say((data) => `${count(data, 'turnIds')} turns`),
  'session.ended': say(
    (data) => textMember(data, 'reason'),
    (data) => textMember(data, 'detail'),
  ),
  'turn.queued': say((data) => textMember(data, 'text')),
  'turn.started': say(
    (data) => textMember(data, 'text') || own(ORIGINS, textMember(data, 'origin')) || 'a turn',
  ),
  'turn.steered': say((data) => textMember(data, 'text')),
  'turn.ended': say(
    (data) => [textMember(data, 'stopReason'), faultOf(data)].filter(Boolean).join(': '),
    (data) => textMember(data, 'limit'),
  ),
  'turn.diff': say(changed),
  'turn.dropped': say((data) => textMember(data, 'reason')),
  'message.delta': say((data) => textMember(data, 'text')),
  'message.completed': say((data) => textMember(data, 'text')),
  'reasoning.delta': say((data) => textMember(data, 'text')),
  'reasoning.completed': say((data) => textMember(data, 'text')),
  'tool.started': say(toolTitle),
  'tool.updated': say(toolTitle),
  'tool.completed': say(toolTitle),
  'task.started': say((data) => textMember(data, 'title')),
  'task.ended': say(
    (data) => textMember(data, 'status'),
    (data) => textMember(data, 'summary') || faultOf(data),
  ),
  'plan.updated': say((data) => {
    const entries = member(data, 'entries');
    const all = Array.isArray(entries) ? entries : [];
    const done = all.filter((entry) => member(entry, 'status') === 'completed').length;
    return `${done} of ${all.length} done`;
  }),
  'permission.requested': say((data) => command(data) || toolTitle(member(data, 'toolCall'))),
  'permission.resolved': say(answer, (data) => textMember(data, 'rule')),
  'question.requested': say((data) => textMember(data, 'message')),
  'question.resolved': say(answer),
  'hook.requested': say(
    (data) => command(data) || toolTitle(member(data, 'toolCall')) || textMember(data, 'hook'),
  ),
  'hook.resolved': say(answer, (data) => textMember(data, 'rule')),
  'host_tool.called': say((data) => textMember(data, 'tool')),
  'host_tool.resolved': say(answer),
  'usage.updated': say((data) => {
    const used = number(data, 'contextUsed');
    const size = number(data, 'contextSize');
    return used && size ? `${used} of ${size} tokens` : used;
  }),
  'context.compacted': say(
    (data) => textMember(data, 'trigger'),
    (data) => textMember(data, 'summary'),
  ),
  'mode.changed': say((data) => textMember(data, 'modeId')),
  'permission_mode.changed': say(
    (data) => textMember(data, 'permissionMode') || textMember(data, 'mode'),
  ),
  'config.changed': say((data) => textMember(data, 'configId')),
  'commands.updated': say((data) => `${count(data, 'commands')} commands`),
  'mcp.status': say(
    (data) => textMember(data, 'server'),
    (data) => [textMember(data, 'status'), textMember(data, 'error')].filter(Boolean).join(': '),
  ),
  'agent.started': say(
    () => 'agent started',
    (data) => textMember(data, 'version'),
  ),
  'agent.exited': say((data) => {
    const signal = member(data, 'signal');
    if (signal !== undefined && signal !== null) return `signal ${String(signal)}`;
    const code = member(data, 'exitCode');
    return code === undefined || code === null ? '' : `exit code ${String(code)}`;
  }),
  'agent.unparsed': say(
    (data) => textMember(data, 'text'),
    (data) => textMember(data, 'reason'),
  ),
  'agent.update': say((data) => textMember(data, 'updateType')),
  error: say(
    (data) => textMember(data, 'message'),
    (data) => textMember(data, 'code'),
  ),
};

/** An event in a few words. One of a type that is not known here has none. */
export function tell(event: EventLike): Telling {
  return own(TELLERS, event.type)?.(event.data) ?? { title: '', detail: '' };
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
