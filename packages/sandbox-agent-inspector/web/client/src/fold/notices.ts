/** What the reader should know that is no message, in words. */

import type { Event } from '../api/schema.ts';
import type { NoticeItem } from './model.ts';

type Notice = Pick<NoticeItem, 'notice' | 'code' | 'text' | 'detail'>;

/** The notice that an event is, or nothing. */
export function noticeOf(event: Event): Notice | null {
  switch (event.type) {
    case 'session.resumed':
      return {
        notice: 'session_resumed',
        code: event.data.continuity,
        text: event.data.reason ?? '',
      };
    case 'context.compacted': {
      const { preTokens, postTokens, trigger, summary } = event.data;
      const sizes = [preTokens, postTokens].filter((size) => size != null);
      const tokens = sizes.length > 0 ? ` (${sizes.join(' -> ')} tokens)` : '';
      return {
        notice: 'context_compacted',
        code: trigger ?? 'auto',
        text: `The context was compacted${tokens}.`,
        detail: summary,
      };
    }
    case 'agent.exited': {
      const { expected, signal, exitCode, reason, stderrTail } = event.data;
      if (expected) return null;
      let how = signal != null ? `signal ${signal}` : `code ${exitCode ?? 'None'}`;
      if (reason === 'out_of_memory') how = 'the sandbox was out of memory';
      return {
        notice: 'agent_exited',
        text: `The agent's process ended unexpectedly (${how}).`,
        detail: stderrTail || null,
      };
    }
    case 'error':
      return { notice: 'error', code: event.data.code, text: event.data.message };
    case 'mcp.status': {
      const { server, status, error } = event.data;
      if (!['failed', 'needs-auth', 'slow'].includes(status)) return null;
      return {
        notice: 'mcp_status',
        code: status,
        text: `The MCP server ${quoted(server)}: ${status}.`,
        detail: error,
      };
    }
    case 'log.repaired':
      return {
        notice: 'log_repaired',
        text: `The end of the log was damaged: ${event.data.droppedBytes} bytes of it are lost.`,
        detail: event.data.reason,
      };
    case 'log.damaged':
      return {
        notice: 'log_damaged',
        text: `A part of the log is damaged: ${event.data.lostBytes} bytes cannot be read.`,
        detail: event.data.reason,
      };
    default:
      return null;
  }
}

const ESCAPES = new Map([
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** A text in quotes, as the server quotes names: what cannot be seen is escaped. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let shown = '';
  for (const character of text) {
    if (character === quote) shown += `\\${character}`;
    else if (ESCAPES.has(character)) shown += ESCAPES.get(character);
    else if (character !== ' ' && /[\p{C}\p{Z}]/u.test(character)) shown += escaped(character);
    else shown += character;
  }
  return quote + shown + quote;
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
