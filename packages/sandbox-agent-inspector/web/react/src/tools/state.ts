/** How far a call is, in the words that people use for it. */
import type { ToolItem, Turn } from 'sandbox-agent-client';
import type { Item } from './shapes.ts';

export type ToolState =
  | 'pending'
  | 'waiting'
  | 'running'
  | 'background'
  | 'done'
  | 'failed'
  | 'denied'
  | 'stopped';

type Permission = Extract<Item, { type: 'permission' }>;

/** What was asked about a call. */
export interface Asked {
  readonly permission: Permission | null;
  readonly isPending: boolean;
}

const asked = new WeakMap<readonly Item[], Map<string, Permission>>();

export function askedAbout(turn: Turn | null | undefined, toolCallId: string): Asked {
  const items = turn?.items ?? [];
  let found = asked.get(items);
  if (!found) {
    found = new Map();
    for (const item of items) {
      const id = item.type === 'permission' ? item.toolCall?.toolCallId : undefined;
      if (item.type === 'permission' && id) found.set(id, item);
    }
    asked.set(items, found);
  }
  const permission = found.get(toolCallId) ?? null;
  return { permission, isPending: permission !== null && permission.outcome == null };
}

export function toolState(item: ToolItem, turn?: Turn | null, isInBackground = false): ToolState {
  const { permission, isPending } = askedAbout(turn, item.toolCallId);
  if (isPending) return 'waiting';
  const isRefused = permission?.optionKind?.startsWith('reject') === true;
  if (item.status === 'failed') {
    if (isRefused) return 'denied';
    if (item.reason) return 'stopped';
    if (turn?.stopReason === 'cancelled' && isLast(item, turn)) return 'stopped';
    return 'failed';
  }
  if (isInBackground) return 'background';
  if (item.status === 'completed') return 'done';
  // Agents leave calls open when their turn ends, or when they die.
  if (turn?.endedAt && !item.late) return isRefused ? 'denied' : 'stopped';
  return item.status === 'in_progress' ? 'running' : 'pending';
}

export function isActive(state: ToolState): boolean {
  return (
    state === 'pending' || state === 'running' || state === 'waiting' || state === 'background'
  );
}

function isLast(item: ToolItem, turn: Turn): boolean {
  const last = turn.items?.findLast(({ type }) => type === 'tool');
  return last === item || last?.seq === item.seq || item.endedAt === turn.endedAt;
}
