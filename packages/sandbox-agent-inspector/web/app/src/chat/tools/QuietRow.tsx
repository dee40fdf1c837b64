/** Adjacent calls that only look at things: one line, with the calls below it when somebody wants them. */
import { ChevronRight } from 'lucide-react';
import { useId, useMemo } from 'react';
import type { ToolItem, Turn } from 'sandbox-agent-client';
import {
  describeTool,
  isActive,
  quietSummary,
  useDisclosure,
  useSessionSelector,
} from 'sandbox-agent-react';
import { disclosures } from '../disclosed.ts';
import { Elapsed } from './Elapsed.tsx';
import { SortGlyph, StateGlyph } from './glyphs.tsx';
import { toolKey } from './keys.ts';
import { ToolCall } from './ToolCall.tsx';
import { ToolObject } from './ToolObject.tsx';
import styles from './tool.module.css';

interface QuietRowProps {
  items: readonly ToolItem[];
  turn: Turn;
  sessionId: string;
  depth?: number;
}

export function QuietRow({ items, turn, sessionId, depth = 0 }: QuietRowProps) {
  const [first] = items;
  if (!first) return null;
  return <Group items={items} first={first} turn={turn} sessionId={sessionId} depth={depth} />;
}

function Group({ items, first, turn, sessionId, depth = 0 }: QuietRowProps & { first: ToolItem }) {
  const id = useId();
  const cwd = useSessionSelector(sessionId, (snapshot) => snapshot.transcript.cwd ?? null);
  const { isOpen, toggle } = useDisclosure(
    disclosures,
    `quiet/${toolKey(sessionId, first)}`,
    false,
  );
  const summaries = useMemo(
    () => items.map((item) => describeTool(item, { turn, cwd })),
    [items, turn, cwd],
  );
  const live = summaries.findLast(({ state }) => isActive(state));
  const only = summaries.length === 1 ? summaries[0] : undefined;
  const named = live ?? only;
  return (
    <section className={styles.quiet} data-depth={depth} aria-label={quietSummary(items)}>
      <button
        type="button"
        className={styles.quietTrigger}
        data-row-toggle
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={toggle}
      >
        <ChevronRight aria-hidden className={styles.chevron} />
        {named && <SortGlyph sort={named.sort} />}
        {live && items.length > 1 && (
          <span className={styles.quietWords}>{quietSummary(items)} ·</span>
        )}
        {named ? (
          <>
            <span className={styles.verb}>{named.verb}</span>
            <ToolObject summary={named} />
          </>
        ) : (
          <span className={styles.quietWords}>{quietSummary(items)}</span>
        )}
        <span className={styles.facts}>
          <Elapsed
            startedAt={live?.startedAt ?? first.time}
            durationMs={spanOf(items)}
            isRunning={live !== undefined}
          />
          <StateGlyph state={live?.state ?? 'done'} />
        </span>
      </button>
      <div id={id} className={styles.quietBody} hidden={!isOpen}>
        {isOpen &&
          items.map((item) => (
            <ToolCall
              key={item.seq}
              item={item}
              turn={turn}
              sessionId={sessionId}
              depth={depth + 1}
              isAlone={items.length === 1}
            />
          ))}
      </div>
    </section>
  );
}

/** From the first begin to the last end. */
function spanOf(items: readonly ToolItem[]): number | null {
  const ends = items.map(({ endedAt }) => (endedAt ? Date.parse(endedAt) : Number.NaN));
  const begin = Math.min(...items.map(({ time }) => Date.parse(time)));
  const end = Math.max(...ends);
  return Number.isFinite(end - begin) ? end - begin : null;
}
