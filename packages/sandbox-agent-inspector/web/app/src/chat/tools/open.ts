/** What people opened and closed in the conversation, kept over a reload. */
import type { ToolItem } from 'sandbox-agent-client';
import { Disclosures } from 'sandbox-agent-react';

function storage(): Storage | null {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

export const disclosures = new Disclosures(storage(), 'sandbox-agent:open-tools');

/** Agents that count their calls anew in every turn use an id twice, so its place in the log is in it. */
export function toolKey(sessionId: string, item: ToolItem): string {
  return `${sessionId}/${item.seq}/${item.toolCallId}`;
}
