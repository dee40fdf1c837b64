/** A call of a tool as a card: one line about it, and below it what it was given and what came of it. */
import { ChevronRight, Square } from 'lucide-react';
import { useEffect, useId, useMemo, useState } from 'react';
import type { ToolItem, Turn } from 'sandbox-agent-client';
import {
  askedAbout,
  childrenOf,
  describeTool,
  fileDiffOf,
  isActive,
  type ToolPart,
  type ToolSummary,
  toolParts,
  useDisclosure,
  useSessionSelector,
} from 'sandbox-agent-react';
import { LineCounts } from '../../diff/index.ts';
import { Button } from '../../ui/index.ts';
import { disclosures } from '../disclosed.ts';
import { Elapsed } from './Elapsed.tsx';
import { SortGlyph, StateGlyph, stateWord } from './glyphs.tsx';
import { toolKey } from './keys.ts';
import { Nested, NestedSummary } from './Nested.tsx';
import { Parts } from './Parts.tsx';
import { RawFields } from './RawFields.tsx';
import { ToolMenu } from './ToolMenu.tsx';
import { ToolObject } from './ToolObject.tsx';
import styles from './tool.module.css';
import { useStop } from './useStop.ts';

interface ToolCallProps {
  item: ToolItem;
  turn: Turn;
  sessionId: string;
  /** Within a row of quiet calls, or a sub-agent: 0 outside of any. */
  depth?: number;
  /** It was opened to be read, and is all that there is to read. */
  isAlone?: boolean;
}

const OPEN_EDIT_LINES = 30;

export function ToolCall({ item, turn, sessionId, depth = 0, isAlone = false }: ToolCallProps) {
  const id = useId();
  const cwd = useSessionSelector(sessionId, (snapshot) => snapshot.transcript.cwd ?? null);
  const task = useSessionSelector(
    sessionId,
    ({ transcript }) =>
      transcript.tasks?.find(
        ({ toolCallId, status }) => toolCallId === item.toolCallId && status == null,
      ) ?? null,
  );
  const children = childrenOf(turn, item.toolCallId);
  const isInBackground = task !== null;
  const summary = useMemo(
    () => describeTool(item, { turn, cwd, hasChildren: children.length > 0, isInBackground }),
    [item, turn, cwd, children.length, isInBackground],
  );
  const counts = useMemo(() => changedLinesOf(item), [item]);
  const key = toolKey(sessionId, item);
  const isAsked = askedAbout(turn, item.toolCallId).permission !== null;
  const opensItself = isAlone || opensByItself(summary, isAsked, counts, depth);
  const { isOpen, toggle } = useDisclosure(disclosures, key, opensItself);
  useEffect(() => {
    if (opensItself) disclosures.keep(key);
  }, [opensItself, key]);
  const [showsRaw, setShowsRaw] = useState(false);
  const parts = useMemo(
    () => (isOpen ? toolParts(item, summary, cwd) : []),
    [isOpen, item, summary, cwd],
  );
  const stop = useStop(sessionId, turn, summary.state, task?.id ?? null);
  const shown = {
    isLive: isActive(summary.state),
    cwd,
    hasOneFile: (item.diffs?.length ?? 0) <= 1 && summary.path !== null,
  };
  const isRunning = summary.state === 'running' || summary.state === 'background';
  return (
    <section
      className={styles.card}
      data-tool={item.toolCallId}
      data-sort={summary.sort}
      data-state={summary.state}
      data-depth={depth}
      aria-label={labelOf(summary)}
    >
      <div className={styles.header}>
        <button
          type="button"
          className={styles.trigger}
          data-row-toggle
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={toggle}
        >
          <SortGlyph sort={summary.sort} />
          <span className={styles.verb}>{summary.verb}</span>
          <ToolObject summary={summary} />
          {children.length > 0 && <NestedSummary items={children} cwd={cwd} isLive={isRunning} />}
          <span className={styles.facts}>
            {counts && <LineCounts {...counts} />}
            {summary.exitCode !== null && summary.exitCode !== 0 && (
              <span className={styles.exit}>exit {summary.exitCode}</span>
            )}
            <Elapsed
              startedAt={task?.startedAt ?? summary.startedAt}
              durationMs={summary.durationMs}
              isRunning={isRunning}
            />
            <StateGlyph state={summary.state} />
            <ChevronRight aria-hidden className={styles.chevron} />
          </span>
        </button>
        {stop && (
          <Button size="small" icon={<Square />} isDisabled={stop.isStopping} onPress={stop.stop}>
            {stop.isStopping ? 'Stopping…' : 'Stop'}
          </Button>
        )}
        <ToolMenu
          item={item}
          summary={summary}
          sessionId={sessionId}
          cwd={cwd}
          showsRaw={showsRaw && isOpen}
          onRaw={() => {
            setShowsRaw(!(showsRaw && isOpen));
            if (!isOpen) toggle();
          }}
        />
      </div>
      <div id={id} className={styles.body} hidden={!isOpen}>
        {isOpen && (
          <>
            {summary.detail && <p className={styles.detail}>{summary.detail}</p>}
            <Parts {...shown} parts={parts.filter((part) => !isReport(part))} />
            {children.length > 0 && (
              <Nested items={children} turn={turn} sessionId={sessionId} depth={depth} />
            )}
            <Parts {...shown} parts={parts.filter(isReport)} />
            {showsRaw && <RawFields item={item} />}
          </>
        )}
      </div>
    </section>
  );
}

function opensByItself(
  summary: ToolSummary,
  isAsked: boolean,
  counts: { additions: number; deletions: number } | null,
  depth: number,
): boolean {
  if (summary.state === 'failed') return true;
  // What is asked is told by the card of the request.
  if (depth > 0 || summary.sort === 'agent' || summary.state === 'waiting') return false;
  if (isAsked || summary.sort === 'mode' || summary.sort === 'question') return true;
  if (counts !== null) return counts.additions + counts.deletions <= OPEN_EDIT_LINES;
  return summary.state === 'running' || summary.state === 'background';
}

/** What a sub-agent says in the end comes after what it did. */
function isReport(part: ToolPart): boolean {
  return part.type === 'markdown' && part.label === 'Its report';
}

function changedLinesOf(item: ToolItem): { additions: number; deletions: number } | null {
  const diffs = item.diffs ?? [];
  if (diffs.length === 0) return null;
  let additions = 0;
  let deletions = 0;
  for (const file of diffs.map(fileDiffOf)) {
    additions += file.additions;
    deletions += file.deletions;
  }
  return { additions, deletions };
}

function labelOf({ verb, object, state, exitCode }: ToolSummary): string {
  const first = object.split('\n')[0]?.slice(0, 120) ?? '';
  const exit = exitCode ? `, exit ${exitCode}` : '';
  return `${verb} ${first}, ${stateWord(state)}${exit}`;
}
