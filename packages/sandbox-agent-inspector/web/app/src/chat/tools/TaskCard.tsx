/** A background task: what goes on beside the turns, or after them. */
import { Bot, Cog, Square, SquareTerminal } from 'lucide-react';
import { useMemo } from 'react';
import type { Task, ToolItem, Turn } from 'sandbox-agent-client';
import {
  childrenOf,
  commandOutput,
  foreignCode,
  useDisclosure,
  useSessionSelector,
} from 'sandbox-agent-react';
import { Button, Foreign } from '../../ui/index.ts';
import { disclosures } from '../disclosed.ts';
import { Elapsed } from './Elapsed.tsx';
import { StateGlyph } from './glyphs.tsx';
import { Nested, NestedSummary } from './Nested.tsx';
import { TerminalOutput } from './TerminalOutput.tsx';
import styles from './tool.module.css';
import { useStop } from './useStop.ts';

const ICONS = { shell: SquareTerminal, agent: Bot, other: Cog } as const;

export function TaskCard({ task, sessionId }: { task: Task; sessionId: string }) {
  const isRunning = task.status == null;
  const turns = useSessionSelector(sessionId, ({ transcript }) => transcript.turns);
  const cwd = useSessionSelector(sessionId, ({ transcript }) => transcript.cwd ?? null);
  const { turn, call } = useMemo(() => originOf(task, turns ?? []), [task, turns]);
  const children = call ? childrenOf(turn, call.toolCallId) : [];
  const { isOpen, toggle } = useDisclosure(disclosures, `task/${sessionId}/${task.id}`, false);
  const stop = useStop(sessionId, null, 'background', isRunning ? task.id : null);
  const Icon = ICONS[task.kind ?? 'other'];
  const printed = call ? commandOutput(call).text : '';
  const state =
    task.status === 'failed'
      ? 'failed'
      : task.status === 'stopped'
        ? 'stopped'
        : isRunning
          ? 'running'
          : 'done';
  return (
    <section className={styles.card} data-state={state} data-task={task.id}>
      <div className={styles.header}>
        <button type="button" className={styles.trigger} aria-expanded={isOpen} onClick={toggle}>
          <Icon aria-hidden className={styles.glyph} />
          <span className={styles.object} data-kind={task.kind === 'shell' ? 'command' : 'text'}>
            <Foreign text={task.title || 'Background task'} maxChars={120} />
          </span>
          {children.length > 0 && <NestedSummary items={children} cwd={cwd} isLive={isRunning} />}
          <span className={styles.facts}>
            <Elapsed
              startedAt={task.startedAt ?? ''}
              durationMs={durationOf(task)}
              isRunning={isRunning}
            />
            <StateGlyph state={state} />
          </span>
        </button>
        {stop && isRunning && (
          <Button size="small" icon={<Square />} isDisabled={stop.isStopping} onPress={stop.stop}>
            {stop.isStopping ? 'Stopping…' : 'Stop'}
          </Button>
        )}
      </div>
      {isOpen && (
        <div className={styles.body}>
          {printed !== '' && <TerminalOutput text={printed} isLive={isRunning} />}
          {turn && children.length > 0 && (
            <Nested items={children} turn={turn} sessionId={sessionId} depth={1} />
          )}
          {(task.error?.message ?? task.summary) && (
            <p className={styles.detail}>
              {foreignCode(task.error?.message ?? task.summary ?? '')}
            </p>
          )}
          {printed === '' && children.length === 0 && !task.error && !task.summary && (
            <p className={styles.detail}>
              {isRunning ? 'It has told nothing so far.' : 'It has told nothing.'}
            </p>
          )}
        </div>
      )}
    </section>
  );
}

function originOf(
  task: Task,
  turns: readonly Turn[],
): { turn: Turn | null; call: ToolItem | null } {
  for (const turn of turns.toReversed()) {
    if (task.turnId && turn.id !== task.turnId) continue;
    const call = turn.items?.find(
      (item): item is ToolItem => item.type === 'tool' && item.toolCallId === task.toolCallId,
    );
    if (call) return { turn, call };
  }
  return { turn: null, call: null };
}

function durationOf(task: Task): number | null {
  if (!task.startedAt || !task.endedAt) return null;
  return Date.parse(task.endedAt) - Date.parse(task.startedAt);
}
