/** What a session and its state are called. */
import type { SessionInfo } from 'sandbox-agent-client';

function lastPart(path: string): string {
  return path.split('/').filter(Boolean).at(-1) ?? '/';
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}

/** As somebody called it, or its agent; until then as it was first asked, or where it works. */
export function titleOf(session: SessionInfo): string {
  const asked = session.firstPrompt;
  return (
    session.title?.trim() ||
    (typeof asked === 'string' && firstLine(asked)) ||
    `${session.agent} in ${lastPart(session.cwd)}`
  );
}

export const STATUS_WORDS: Record<SessionInfo['status'], string> = {
  starting: 'Starting',
  idle: 'Ready',
  running: 'Running',
  background: 'Running in the background',
  waiting: 'Waiting for you',
  dormant: 'Asleep: a message wakes it',
  ended: 'Ended',
  damaged: 'Damaged',
};

/** How long ago, in as few signs as possible: `now`, `4m`, `3h`, `2d`, then a date. */
export function ageOf(time: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  if (!Number.isFinite(seconds)) {
    return '';
  }
  if (seconds < 60) {
    return 'now';
  }
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)}m`;
  }
  if (seconds < 86_400) {
    return `${Math.floor(seconds / 3600)}h`;
  }
  if (seconds < 7 * 86_400) {
    return `${Math.floor(seconds / 86_400)}d`;
  }
  return new Date(time).toLocaleDateString(undefined, { month: 'short', day: 'numeric' });
}

/** Time until a deadline: `9:31`, `1 h`; never negative. */
export function countdown(deadline: string, now: number): string {
  const seconds = Math.max(0, Math.round((Date.parse(deadline) - now) / 1000));
  if (seconds >= 7200) {
    return `${Math.round(seconds / 3600)} h`;
  }
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
