import type { ContentBlock, FoldedTranscript, FoldedTurn } from 'sandbox-agent-client';
import type { FileDiff } from '../diff/index.ts';
import { formatCount, formatDuration } from '../tools/format.ts';

/** What is known of the export itself; it stands at its end. */
export interface ExportFacts {
  /** Of what wrote it. */
  readonly version: string;
  readonly exportedAt: string;
  /** Of the JSON lines that it was made of; null where the browser cannot compute it. */
  readonly sha256: string | null;
  readonly events: number;
  /** Of a session with `turns` of them, if it is a part: from 1. */
  readonly part: { readonly from: number; readonly to: number; readonly turns: number } | null;
}

export interface ExportOptions {
  readonly reasoning: boolean;
  /** What tools were given and what came of it; without it only what they did. */
  readonly details: boolean;
}

export function titleOf(transcript: FoldedTranscript): string {
  if (transcript.title) return transcript.title;
  const first = transcript.turns.find((turn) => turn.prompt?.length);
  const text = first ? promptOf(first) : '';
  const line = text.trim().split('\n')[0]?.slice(0, 120) ?? '';
  return line || transcript.sessionId || 'Session';
}

export function promptOf(turn: FoldedTurn): string {
  return textOfBlocks(turn.prompt ?? []);
}

export function textOfBlocks(blocks: readonly ContentBlock[]): string {
  return blocks
    .flatMap((block) =>
      block.type === 'text' && typeof block.text === 'string' ? [block.text] : [],
    )
    .join('\n\n');
}

/** `2026-11-23 12:00:05 UTC`: who reads it is somewhere else. */
export function utc(time: string | null | undefined): string {
  const date = new Date(time ?? '');
  if (Number.isNaN(date.getTime())) return '';
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** Duration, tokens, cost and files of a turn, those that are known. */
export function turnFacts(turn: FoldedTurn): string[] {
  const facts: string[] = [];
  const took = Date.parse(turn.endedAt ?? '') - Date.parse(turn.startedAt ?? '');
  if (Number.isFinite(took)) facts.push(formatDuration(took));
  const { usage, cost } = turn;
  if (usage?.inputTokens != null || usage?.outputTokens != null) {
    const count = (value: number | null | undefined) => formatCount(value ?? 0);
    facts.push(`${count(usage.inputTokens)} in / ${count(usage.outputTokens)} out`);
  }
  if (cost) facts.push(costText(cost));
  const totals = turn.changes?.totals;
  if (totals?.files) {
    const files = totals.files === 1 ? '1 file' : `${totals.files} files`;
    facts.push(`${files} +${totals.additions ?? 0} −${totals.deletions ?? 0}`);
  }
  if (turn.stopReason && turn.stopReason !== 'end_turn') facts.push(turn.stopReason);
  return facts;
}

function costText(cost: { amount: number; currency?: string; estimated?: boolean }): string {
  const about = cost.estimated ? '≈ ' : '';
  const amount = cost.amount.toFixed(cost.amount < 0.1 ? 4 : 2);
  const currency = cost.currency ?? 'USD';
  return currency === 'USD' ? `${about}$${amount}` : `${about}${amount} ${currency}`;
}

/** A file's changes as a patch, for a fence. */
export function patchText(file: FileDiff): string {
  const lines = [`--- ${file.status === 'added' ? '/dev/null' : (file.oldPath ?? file.path)}`];
  lines.push(`+++ ${file.status === 'deleted' ? '/dev/null' : file.path}`);
  for (const hunk of file.hunks) {
    const count = (side: 'add' | 'del') =>
      hunk.lines.filter((line) => line.kind === 'context' || line.kind === side).length;
    const place =
      hunk.oldStart === null && hunk.newStart === null
        ? '@@'
        : `@@ -${hunk.oldStart ?? 0},${count('del')} +${hunk.newStart ?? 0},${count('add')} @@`;
    lines.push(hunk.section ? `${place} ${hunk.section}` : place);
    for (const line of hunk.lines) {
      lines.push(`${MARKS[line.kind]}${line.text}`);
      if (line.noNewline) lines.push('\\ No newline at end of file');
    }
  }
  return lines.join('\n');
}

const MARKS = { context: ' ', add: '+', del: '-' } as const;
