import type { RequestRecord } from 'sandbox-agent-client';

/** The page itself gave it up: somebody went somewhere else. */
function isCancelled({ status, error }: RequestRecord): boolean {
  return status === 0 && /abort/i.test(error?.message ?? '');
}

export function isFailure(record: RequestRecord): boolean {
  if (isCancelled(record)) return false;
  return record.status !== undefined && (record.status === 0 || record.status >= 400);
}

export function matches(record: RequestRecord, text: string, onlyFailures: boolean): boolean {
  if (onlyFailures && !isFailure(record)) return false;
  const wanted = text.trim().toLowerCase();
  if (!wanted) return true;
  const { method, path, status, error } = record;
  return `${method} ${path} ${status ?? ''} ${error?.code ?? ''}`.toLowerCase().includes(wanted);
}

/** `200`, `no answer`, `…` while it is under way. */
export function statusText(record: RequestRecord): string {
  const { status } = record;
  if (isCancelled(record)) return 'cancelled';
  if (status === undefined) return '…';
  return status === 0 ? 'no answer' : String(status);
}

export function durationText({ durationMs, isStream }: RequestRecord): string {
  if (isStream) return 'stream';
  return durationMs === undefined ? '' : `${Math.round(durationMs)} ms`;
}
