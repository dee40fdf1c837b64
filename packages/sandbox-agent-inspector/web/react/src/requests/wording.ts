import type { RequestModel, RequestOutcome } from './model.ts';

export type OutcomeTone = 'allowed' | 'denied' | 'expired' | 'withdrawn' | 'told';

/** A resolution in words: `text` says what was decided, `by` who or what decided. */
export interface OutcomeWords {
  tone: OutcomeTone;
  text: string;
  /** A name that somebody gave, or a rule: foreign text. */
  by: string | null;
  /** How `by` is to be read: `by ana`, `by rule deny-push`. */
  means: 'person' | 'rule' | null;
}

const VERBS: Readonly<Record<string, string>> = {
  read: 'read a file',
  edit: 'change a file',
  delete: 'delete a file',
  move: 'move a file',
  search: 'search',
  execute: 'run a command',
  think: 'think',
  fetch: 'fetch a page',
  switch_mode: 'go on with this plan',
  other: 'use a tool',
};

/** What the agent wants, after its name: "asks to run a command". */
export function asksTo(request: RequestModel): string {
  if (request.kind === 'host_tool') return 'calls a function of a client';
  if (request.kind === 'question') {
    if (request.url) return 'asks you to open a page';
    const count = request.questions.length;
    return count > 1 ? `asks ${count} questions` : 'asks a question';
  }
  if (request.hook === 'after_tool') return 'has used a tool: a hook may add to it';
  const kind = request.command ? 'execute' : (request.tool?.kind ?? 'other');
  const many = request.paths.length > 1 && ['read', 'edit', 'delete', 'move'].includes(kind);
  const verb = many
    ? (VERBS[kind] ?? '').replace('a file', `${request.paths.length} files`)
    : VERBS[kind];
  return request.hook ? `is about to ${verb}: a hook decides` : `asks to ${verb}`;
}

/** The one line that stands for the request in a list. */
export function requestLine(request: RequestModel): string {
  if (request.call) return request.call.tool;
  if (request.command) return request.command;
  if (request.kind === 'question') {
    return request.message || request.questions[0]?.question || request.url || 'A question';
  }
  const [path] = request.paths;
  if (path) return request.paths.length > 1 ? `${path} +${request.paths.length - 1}` : path;
  return request.tool?.title || request.tool?.name || 'A tool';
}

/** What happens at the deadline. */
export function defaultWords(request: RequestModel): string {
  switch (request.byDefault) {
    case 'allow':
      return 'allows';
    case 'decline':
      return 'declines';
    case 'error':
      return 'fails';
    case 'none':
      return 'goes on';
    default:
      return 'denies';
  }
}

/** "9:31", "2 h 05 min", "3 days": coarse where nobody counts seconds. */
export function remaining(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  return `${Math.floor(minutes / 1440)} days`;
}

export function outcomeWords(request: RequestModel, outcome: RequestOutcome): OutcomeWords {
  if (outcome.decidedBy === 'timeout') return expired(outcome);
  if (outcome.decidedBy === 'cancel') {
    return { tone: 'withdrawn', text: 'Withdrawn', by: null, means: null };
  }
  const said = decided(request, outcome);
  if (outcome.decidedBy === 'policy') {
    return { ...said, by: ruleWords(outcome.rule ?? null), means: 'rule' };
  }
  return { ...said, by: outcome.actor || null, means: outcome.actor ? 'person' : null };
}

function expired(outcome: RequestOutcome): OutcomeWords {
  const text =
    outcome.outcome === 'declined'
      ? 'declined by its deadline'
      : allows(outcome)
        ? 'allowed by its deadline'
        : outcome.outcome === 'failed'
          ? 'no client answered in time'
          : outcome.outcome === 'decided' && outcome.decision !== 'deny'
            ? 'went on at its deadline'
            : 'denied by its deadline';
  return { tone: 'expired', text: `Expired: ${text}`, by: null, means: null };
}

function decided(
  request: RequestModel,
  outcome: RequestOutcome,
): Pick<OutcomeWords, 'tone' | 'text'> {
  switch (outcome.outcome) {
    case 'answered':
      return { tone: 'told', text: 'Answered' };
    case 'declined':
      return { tone: 'denied', text: 'Declined to answer' };
    case 'returned':
      return { tone: 'told', text: 'Returned' };
    case 'failed':
      return { tone: 'denied', text: 'Failed' };
    case 'decided':
      return hookDecision(outcome);
    case 'selected':
      return selected(request, outcome);
    default:
      return outcome.reply === 'reject'
        ? { tone: 'denied', text: 'Denied' }
        : { tone: 'withdrawn', text: 'Withdrawn' };
  }
}

function hookDecision(outcome: RequestOutcome): Pick<OutcomeWords, 'tone' | 'text'> {
  if (outcome.decision === 'allow') return { tone: 'allowed', text: 'Let run' };
  if (outcome.decision === 'deny') return { tone: 'denied', text: 'Denied' };
  if (outcome.decision === 'ask') return { tone: 'told', text: 'Passed on to a person' };
  return { tone: 'told', text: outcome.context ? 'Added to what the model is told' : 'No opinion' };
}

function selected(
  request: RequestModel,
  outcome: RequestOutcome,
): Pick<OutcomeWords, 'tone' | 'text'> {
  const option = request.options.find((one) => one.optionId === outcome.optionId);
  const name = outcome.optionName ?? option?.name ?? '';
  const edited = outcome.updatedInput ? ', with another input' : '';
  switch (outcome.optionKind ?? option?.kind) {
    case 'allow_once':
      return outcome.scope === 'session' || outcome.reply === 'always'
        ? { tone: 'allowed', text: 'Allowed for this session' }
        : { tone: 'allowed', text: `Allowed once${edited}` };
    case 'allow_always':
      return { tone: 'allowed', text: name ? `Allowed: “${name}”` : 'Always allowed' };
    case 'reject_once':
      return { tone: 'denied', text: 'Denied' };
    case 'reject_always':
      return { tone: 'denied', text: name ? `Denied: “${name}”` : 'Denied from now on' };
    default:
      return { tone: 'told', text: name ? `Answered “${name}”` : 'Answered' };
  }
}

function allows(outcome: RequestOutcome): boolean {
  return (outcome.optionKind ?? '').startsWith('allow') || outcome.decision === 'allow';
}

/** The server's name of what decided, for people; a rule's own name stays as it is. */
export function ruleWords(rule: string | null): string {
  if (!rule) return 'the policy';
  if (rule === 'default') return 'the policy’s default';
  if (rule === 'always') return 'an earlier “always”';
  if (rule.startsWith('mode ')) return `the mode “${rule.slice(5)}”`;
  if (/^rule \d+$/.test(rule)) return rule;
  if (rule.startsWith('limit ')) return `the limit ${rule.slice(6)}`;
  return rule === 'no hooks' ? 'the session, which has no hooks' : `the rule “${rule}”`;
}
