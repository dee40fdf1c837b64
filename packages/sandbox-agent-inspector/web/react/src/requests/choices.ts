import type { AnswerRequest } from 'sandbox-agent-client';
import type { RequestModel, RequestOption } from './model.ts';

/** What the agent of a session takes with an answer, beside the option: as its capabilities say. */
export interface AnswerAbilities {
  message: boolean;
  updatedInput: boolean;
  onReject: boolean;
}

/** One thing that a person can decide, and the answer that says it. */
export interface Choice {
  id: string;
  label: string;
  /** What exactly will hold once it is chosen: shown before something lasting is confirmed. */
  holds: string;
  body: AnswerRequest;
}

export interface Choices {
  allow: Choice | null;
  deny: Choice | null;
  /** Allowances that last: never beside `deny`. */
  always: readonly Choice[];
  /** Further ways to refuse, lasting ones among them. */
  refusals: readonly Choice[];
  /** Options of a kind that nobody knows, or second ones of a kind: as the agent calls them. */
  others: readonly Choice[];
}

const NOTHING: Choices = { allow: null, deny: null, always: [], refusals: [], others: [] };
const AFTER_TOOL: Choices = {
  ...NOTHING,
  allow: {
    id: 'none',
    label: 'Add nothing',
    holds: 'The model is told no more.',
    body: { hook: {} },
  },
};
const LASTING_ID = /project|user|save|global|persist|workspace|repo|amendment|permanent|forever/i;
const LASTING_NAME =
  /\b(?:in|for|on) (?:this |the |all )?(?:project|user|workspace|repo\w*|machine|global\w*)\b|\b(?:future|all|every|other) sessions?\b|\bpermanent|\bforever\b|\bsave\b/i;

export function readAbilities(capabilities: unknown): AnswerAbilities {
  const taken = permissionAnswers(capabilities);
  return {
    message: taken.includes('message'),
    updatedInput: taken.includes('updatedInput'),
    onReject: taken.includes('onReject'),
  };
}

/** The choices of a permission or of a hook before a tool, in the order of their kinds. */
export function choicesOf(request: RequestModel): Choices {
  if (request.hook === 'before_tool') return hookChoices();
  if (request.hook === 'after_tool') return AFTER_TOOL;
  if (request.kind !== 'permission') return NOTHING;
  const of = (kind: RequestOption['kind']) => request.options.filter((one) => one.kind === kind);
  const [allow, ...otherAllowances] = of('allow_once');
  const [deny, ...otherRefusals] = of('reject_once');
  // "Keep planning" says more than "deny".
  const isPlan = request.tool?.kind === 'switch_mode';
  const lasting = of('allow_always');
  const always = lasting.map((option) => chosen(option, lastingly(option)));
  // Where the agent offers nothing that ends with the session, the server remembers it.
  if (allow && !lasting.some((option) => !outlivesSession(option))) {
    always.push({
      id: 'session',
      label: 'Allow for the rest of this session',
      holds: `${remembered(request)} will not be asked for again in this session, unless a rule denies it.`,
      body: { reply: 'allow', scope: 'session' },
    });
  }
  return {
    allow: allow
      ? { ...chosen(allow, 'Only this once.'), label: isPlan ? allow.name : 'Allow once' }
      : null,
    deny: deny
      ? { ...chosen(deny, 'Only this once.'), label: isPlan ? deny.name : 'Deny' }
      : { id: 'reject', label: 'Deny', holds: 'Only this once.', body: { reply: 'reject' } },
    always,
    refusals: of('reject_always').map((option) =>
      chosen(option, `The agent refuses the like from now on${until(option)}.`),
    ),
    others: [...otherAllowances, ...otherRefusals, ...of(null)].map((option) =>
      chosen(option, 'As the agent says.'),
    ),
  };
}

function hookChoices(): Choices {
  return {
    ...NOTHING,
    allow: {
      id: 'allow',
      label: 'Let it run',
      holds: 'The tool runs, unless a rule denies it.',
      body: { hook: { decision: 'allow' } },
    },
    deny: {
      id: 'deny',
      label: 'Deny',
      holds: 'The tool does not run.',
      body: { hook: { decision: 'deny' } },
    },
    others: [
      {
        id: 'ask',
        label: 'Ask a person',
        holds: 'A person decides, whatever the policy says.',
        body: { hook: { decision: 'ask' } },
      },
      {
        id: 'none',
        label: 'No opinion',
        holds: 'It is as if there were no hook.',
        body: { hook: {} },
      },
    ],
  };
}

/** A refusal that says why, and what becomes of the turn. `null` where the agent is told in the next prompt instead. */
export function refusal(
  choice: Choice,
  said: { message: string; onReject: 'continue' | 'stop' | null },
  takes: AnswerAbilities,
): { body: AnswerRequest; prompt: string | null } {
  const message = said.message.trim();
  if (choice.body.hook) {
    return { body: { hook: { ...choice.body.hook, ...(message && { message }) } }, prompt: null };
  }
  const onReject = said.onReject === 'continue' && !takes.onReject ? null : said.onReject;
  const body: AnswerRequest = {
    ...choice.body,
    ...(message && takes.message && { message }),
    ...(onReject && { onReject }),
  };
  return { body, prompt: message && !takes.message ? message : null };
}

/** An allowance with another input, for this once. */
export function withInput(choice: Choice, updatedInput: Record<string, unknown>): AnswerRequest {
  if (choice.body.hook) return { hook: { ...choice.body.hook, updatedInput } };
  return { ...choice.body, updatedInput };
}

/** What the model is told after a tool, besides what came of it. */
export function withContext(context: string): AnswerRequest {
  const told = context.trim();
  return { hook: told ? { context: told } : {} };
}

/** Whether an option is kept where it outlives the session: in a file of the repository or of the user. */
export function outlivesSession(option: RequestOption): boolean {
  return LASTING_ID.test(option.optionId) || LASTING_NAME.test(option.name);
}

function chosen(option: RequestOption, holds: string): Choice {
  return {
    id: option.optionId,
    label: option.name,
    holds,
    body: { optionId: option.optionId },
  };
}

function lastingly(option: RequestOption): string {
  return outlivesSession(option)
    ? 'The agent writes this down in its own settings: it may hold after this session, too.'
    : 'Holds for the rest of this session. The agent decides what is like this, and does not ask about it again.';
}

function until(option: RequestOption): string {
  return outlivesSession(option) ? ', after this session, too' : ', in this session';
}

function remembered(request: RequestModel): string {
  if (request.command) return 'This very command';
  if (request.paths.length > 1) return 'This tool on these files';
  return request.paths.length === 1 ? 'This tool on this file' : 'This tool';
}

function permissionAnswers(capabilities: unknown): string[] {
  const at = (value: unknown, name: string): unknown =>
    typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)[name]
      : undefined;
  const told = at(at(at(capabilities, '_meta'), 'sandbox_agent'), 'permissionAnswers');
  return Array.isArray(told) ? told.map(String) : [];
}
