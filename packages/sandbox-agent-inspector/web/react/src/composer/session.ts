import type { PlanEntry, PlanItem, SessionInfo, Transcript } from 'sandbox-agent-client';

export interface PromptCapabilities {
  image: boolean;
  embeddedContext: boolean;
}

/** What the agent takes in a prompt, as it says itself. */
export function promptCapabilities(info: SessionInfo | null): PromptCapabilities {
  const told = member(info?.capabilities, 'promptCapabilities');
  return {
    image: member(told, 'image') === true,
    embeddedContext: member(told, 'embeddedContext') === true,
  };
}

/** Whether something can be said into a turn that runs. */
export function canSteer(info: SessionInfo | null): boolean {
  const own = member(member(info?.capabilities, '_meta'), 'sandbox_agent');
  return member(own, 'steer') === true;
}

/** Why a session takes no prompt now, and what can be done; null: it takes them. */
export type Blocked =
  | { why: 'damaged'; detail: string | null }
  /** A prompt brings it back. */
  | { why: 'ended'; detail: string | null }
  | { why: 'missing' };

export function blockedBy(info: SessionInfo | null, state: string): Blocked | null {
  if (state === 'missing') return { why: 'missing' };
  if (info?.status === 'damaged') return { why: 'damaged', detail: info.damage ?? null };
  if (info?.status === 'ended') return { why: 'ended', detail: null };
  return null;
}

/** Texts of what was asked in this session, oldest first. */
export function promptTexts(transcript: Transcript): string[] {
  return (transcript.turns ?? []).flatMap((turn) => {
    const texts = (turn.prompt ?? []).flatMap((block) =>
      block.type === 'text' && typeof block.text === 'string' ? [block.text] : [],
    );
    return texts.length > 0 ? [texts.join('\n')] : [];
  });
}

export interface PlanProgress {
  done: number;
  total: number;
  /** What is being done, or comes next. */
  current: string | null;
}

/** The newest plan; null: there is none, or it belongs to an earlier turn and is done. */
export function currentPlan(transcript: Transcript): PlanItem | null {
  const turns = transcript.turns ?? [];
  for (const turn of turns.slice(-3).toReversed()) {
    const plan = (turn.items ?? []).findLast((item) => item.type === 'plan');
    if (plan?.type !== 'plan') continue;
    return turn === turns.at(-1) || !(plan.entries ?? []).every(isDone) ? plan : null;
  }
  return null;
}

/** How far a plan is. */
export function planProgress(plan: PlanItem | null): PlanProgress | null {
  const entries = plan?.entries ?? [];
  if (entries.length === 0) return null;
  const done = entries.filter(isDone).length;
  const current =
    entries.find((entry) => entry.status === 'in_progress') ??
    entries.find((entry) => (entry.status ?? 'pending') === 'pending');
  return { done, total: entries.length, current: current?.content ?? null };
}

function isDone(entry: PlanEntry): boolean {
  return entry.status === 'completed';
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
