/** Figures of a session in few words. */
import type { Cost, TokenUsage, Turn } from 'sandbox-agent-client';
import { formatCount } from 'sandbox-agent-react';

// To make one is dear, and every row has a time.
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });

/** "12:03", and the day before it when that is not today. */
export function clockTime(time: string, now: Date = new Date()): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '';
  const clock = CLOCK.format(date);
  if (date.toDateString() === now.toDateString()) return clock;
  return `${DAY.format(date)}, ${clock}`;
}

/** "$0.09"; small amounts keep two digits that say something. */
export function formatCost(cost: Cost): string {
  const { amount, currency = 'USD', estimated } = cost;
  const digits =
    amount === 0 || amount >= 0.01 ? 2 : Math.min(6, 1 - Math.floor(Math.log10(amount)));
  let text: string;
  try {
    text = amount.toLocaleString('en', {
      style: 'currency',
      currency,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  } catch {
    text = `${amount.toFixed(digits)} ${currency.slice(0, 8)}`;
  }
  return estimated ? `≈ ${text}` : text;
}

/** "18 420 in / 2 110 out"; null when nothing is known. */
export function formatTokens(usage: TokenUsage): string | null {
  const input = sum(usage.inputTokens, usage.cachedReadTokens, usage.cachedWriteTokens);
  const output = usage.outputTokens ?? null;
  const parts = [
    input === null ? null : `${formatCount(input)} in`,
    output === null ? null : `${formatCount(output)} out`,
  ].filter((part) => part !== null);
  if (parts.length > 0) return parts.join(' / ');
  return usage.totalTokens == null ? null : `${formatCount(usage.totalTokens)} tokens`;
}

function sum(...counts: (number | null | undefined)[]): number | null {
  const known = counts.filter((count) => count != null);
  return known.length === 0 ? null : known.reduce((total, count) => total + count, 0);
}

export function durationOf(turn: Turn): number | null {
  if (!turn.startedAt || !turn.endedAt) return null;
  return Date.parse(turn.endedAt) - Date.parse(turn.startedAt);
}

/** Why a turn is over, when it is not because the agent was done. */
export function stopWords(turn: Turn): string | null {
  if (turn.limit) return LIMITS[turn.limit] ?? 'a limit was reached';
  if (!turn.stopReason || turn.stopReason === 'end_turn') return null;
  const { stopReason } = turn;
  return Object.hasOwn(STOPS, stopReason) ? (STOPS[stopReason] ?? null) : `stopped: ${stopReason}`;
}

const LIMITS: Readonly<Record<string, string>> = {
  timeout: 'stopped: out of time',
  max_turns: 'stopped at its limit of steps',
  max_cost: 'stopped at its limit of cost',
};

const STOPS: Readonly<Record<string, string>> = {
  cancelled: 'stopped by you',
  error: 'failed',
  interrupted: 'interrupted',
  max_tokens: 'cut off at the model’s limit',
  max_turn_requests: 'stopped at the agent’s limit of steps',
  refusal: 'the model refused',
  unknown: 'ended, nobody said why',
};
