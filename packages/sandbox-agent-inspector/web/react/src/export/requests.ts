import type { Item, RequestItem } from 'sandbox-agent-client';

export interface RequestWords {
  /** "Permission", "Question", … */
  readonly what: string;
  /** What it was about, in the agent's words. */
  readonly about: string;
  /** What came of it, and by whom. */
  readonly answer: string;
}

export function isRequest(item: Item): item is RequestItem {
  return ['permission', 'question', 'hook', 'host_tool'].includes(item.type);
}

/** A request and its answer in words: who decided, and by which rule. */
export function requestWords(item: RequestItem): RequestWords {
  switch (item.type) {
    case 'permission':
      return {
        what: 'Permission',
        about: item.command ?? item.toolCall?.title ?? item.paths?.join(', ') ?? '',
        answer: permissionAnswer(item),
      };
    case 'question':
      return {
        what: 'Question',
        about: [item.message ?? '', ...(item.questions ?? []).map((one) => one.question)]
          .filter((text, index, all) => text && all.indexOf(text) === index)
          .join(' · '),
        answer: questionAnswer(item),
      };
    case 'hook':
      return {
        what: 'Hook',
        about: item.command ?? item.toolCall?.title ?? item.hook ?? '',
        answer: item.decision ?? item.outcome ?? 'not answered',
      };
    case 'host_tool':
      return {
        what: 'Function of a client',
        about: item.tool ?? '',
        answer: item.outcome ?? 'not answered',
      };
  }
}

function permissionAnswer(item: Extract<Item, { type: 'permission' }>): string {
  if (item.outcome == null) return 'not answered';
  const what =
    item.outcome === 'cancelled'
      ? 'withdrawn'
      : (item.optionName ?? item.optionKind?.replaceAll('_', ' ') ?? item.outcome);
  return by(what, item);
}

function questionAnswer(item: Extract<Item, { type: 'question' }>): string {
  if (item.outcome == null) return 'not answered';
  const answers = Object.values(item.answers ?? {}).map((answer) =>
    Array.isArray(answer) ? answer.join(', ') : String(answer),
  );
  return by(answers.join(' · ') || item.outcome, item);
}

function by(
  what: string,
  {
    decidedBy,
    actor,
    rule,
  }: { decidedBy?: string | null; actor?: string | null; rule?: string | null },
): string {
  switch (decidedBy) {
    case 'user':
      return actor ? `${what}, by ${actor}` : what;
    case 'policy':
      return rule ? `${what}, by the policy (${rule})` : `${what}, by the policy`;
    case 'timeout':
      return `expired: ${what}`;
    default:
      return what;
  }
}
