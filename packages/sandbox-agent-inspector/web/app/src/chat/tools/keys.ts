import type { ToolItem } from 'sandbox-agent-client';

/** Agents that count their calls anew in every turn use an id twice, so its place in the log is in it. */
export function toolKey(sessionId: string, item: ToolItem): string {
  return `${sessionId}/${item.seq}/${item.toolCallId}`;
}
