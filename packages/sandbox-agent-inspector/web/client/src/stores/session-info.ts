/** What an event changes of what the server says of its session, until it is asked again. */

import type { Event, SessionInfo } from '../api/schema.ts';

/** The session after the event; the same object when it knows it already. */
export function afterEvent(info: SessionInfo, event: Event): SessionInfo {
  if (event.seq <= info.lastSeq) return info;
  return { ...info, lastSeq: event.seq, updatedAt: event.time, ...changeOf(info, event) };
}

/** Whether the server has to be asked for the rest. */
export function isMore(event: Event): boolean {
  return !QUIET.has(event.type);
}

/** What happens often, and changes nothing that a list of sessions shows. */
const QUIET: ReadonlySet<Event['type']> = new Set([
  'message.delta',
  'message.completed',
  'reasoning.delta',
  'reasoning.completed',
  'tool.started',
  'tool.updated',
  'tool.completed',
  'task.updated',
  'plan.updated',
  'usage.updated',
  'agent.unparsed',
  'agent.update',
  'turn.diff',
  'error',
]);

function changeOf(info: SessionInfo, event: Event): Partial<SessionInfo> {
  switch (event.type) {
    case 'turn.started':
      return { status: 'running', currentTurnId: event.turnId ?? null, endedAt: null };
    case 'turn.ended': {
      const status = (info.tasks ?? []).length > 0 ? 'background' : 'idle';
      return { status, currentTurnId: null };
    }
    case 'permission.requested':
    case 'question.requested':
    case 'hook.requested':
    case 'host_tool.called':
      return { status: 'waiting', pendingRequests: (info.pendingRequests ?? 0) + 1 };
    case 'permission.resolved':
    case 'question.resolved':
    case 'hook.resolved':
    case 'host_tool.resolved': {
      const pendingRequests = Math.max(0, (info.pendingRequests ?? 0) - 1);
      if (pendingRequests > 0 || info.status !== 'waiting') return { pendingRequests };
      return { pendingRequests, status: info.currentTurnId ? 'running' : 'idle' };
    }
    case 'session.ended':
      return { status: 'ended', endedAt: event.time, currentTurnId: null };
    case 'session.updated': {
      const { title, metadata } = event.data;
      return {
        ...(title ? { title } : {}),
        ...(metadata != null ? { metadata } : {}),
      };
    }
    case 'mode.changed':
      return { mode: event.data.modeId };
    default:
      return {};
  }
}
