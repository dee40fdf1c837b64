/** What a request wants, in one line. */

import type { RequestInfo } from 'sandbox-agent-client';
import { foreign } from 'sandbox-agent-react';

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

const VERBS: Record<string, string> = {
  edit: 'Edit',
  delete: 'Delete',
  move: 'Move',
  read: 'Read',
  fetch: 'Fetch',
  search: 'Search',
};

export function summaryOf(request: RequestInfo): string {
  const title = textOf(request.toolCall?.title);
  switch (request.kind) {
    case 'question': {
      const [first, ...others] = request.questions ?? [];
      const asked = textOf(first?.question) ?? textOf(request.message) ?? 'A question';
      return oneLine(others.length > 0 ? `${asked} (and ${others.length} more)` : asked);
    }
    case 'host_tool':
      return oneLine(`Calls ${request.tool ?? 'a function'} of ${request.client ?? 'a client'}`);
    case 'hook':
      return oneLine(
        `${request.hook === 'after_tool' ? 'After' : 'Before'}: ${request.command ?? title ?? 'a tool'}`,
      );
    case 'permission': {
      if (request.command) {
        return oneLine(`Run: ${request.command}`);
      }
      const verb = VERBS[textOf(request.toolCall?.kind) ?? ''];
      const [path, ...more] = request.paths ?? [];
      if (verb && path) {
        return oneLine(`${verb}: ${path}${more.length > 0 ? ` and ${more.length} more` : ''}`);
      }
      return oneLine(title ?? textOf(request.message) ?? 'Asks for a permission');
    }
  }
}

/** The answer that a button in the list may give, if the agent offers it; never one that outlives this call. */
export function onceOption(
  request: RequestInfo,
  kind: 'allow_once' | 'reject_once',
): string | null {
  const found = (request.options ?? []).find((each) => each.kind === kind);
  return textOf(found?.optionId);
}

/**
 * Whether all that is asked can be seen in the list. Only then can it be allowed there: one line of a command that is
 * not cut, and nothing else that it would do.
 */
export function fitsInList(request: RequestInfo, mostChars: number): boolean {
  return (
    request.kind === 'permission' &&
    !request.hook &&
    textOf(request.command) !== null &&
    foreign(request.command ?? '') === request.command &&
    !/[\n\r\t]/.test(request.command) &&
    summaryOf(request).length <= mostChars &&
    (request.paths ?? []).length === 0 &&
    onceOption(request, 'allow_once') !== null
  );
}
