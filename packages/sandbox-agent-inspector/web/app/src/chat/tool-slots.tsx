/** Tool calls in one line each. */
import type { PlanItem, ToolItem, Turn } from 'sandbox-agent-client';
import { describeTool, type PromptBlock, quietSummary } from 'sandbox-agent-react';
import { Foreign } from '../ui/index.ts';

export function ToolCall({ item }: { item: ToolItem; turn: Turn; sessionId: string }) {
  const { verb, object } = describeTool(item);
  return (
    <p>
      {verb} <Foreign text={object ?? ''} /> {item.status}
    </p>
  );
}

export function QuietRow({ items }: { items: readonly ToolItem[]; turn: Turn; sessionId: string }) {
  return <p>{quietSummary(items)}</p>;
}

export function PlanCard({ item }: { item: PlanItem }) {
  return (
    <ol>
      {(item.entries ?? []).map((entry) => (
        <li key={entry.content}>{entry.content}</li>
      ))}
    </ol>
  );
}

export function Attachment({ block }: { block: PromptBlock }) {
  return <Foreign text={block.type ?? 'attachment'} />;
}
