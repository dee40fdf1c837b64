import type { ReactNode } from 'react';
import type { FoldedTurn, Item, ToolItem } from 'sandbox-agent-client';
import { foreign } from '../foreign.ts';
import { describeTool } from '../tools/describe.ts';
import { formatDuration } from '../tools/format.ts';
import { childrenOf, groupQuiet, isGroup, parentOf, quietSummary } from '../tools/grouping.ts';
import { type ToolPart, toolParts } from '../tools/parts.ts';
import { type ExportOptions, promptOf, textOfBlocks, turnFacts, utc } from './facts.ts';
import { Attachment, Checklist, Name, Part, Text } from './parts.tsx';
import { isRequest, requestWords } from './requests.ts';

interface Context {
  readonly turn: FoldedTurn;
  readonly cwd: string | null | undefined;
  readonly options: ExportOptions;
  /** Of calls in calls: no further than a reader can follow, nor a stack. */
  readonly depth: number;
}

const MAX_DEPTH = 12;

interface TurnProps extends Omit<Context, 'depth'> {
  readonly number: number;
}

/** A turn of the HTML export: what the app's conversation says, without what can be clicked. */
export function TurnSection({ number, ...context }: TurnProps) {
  const { turn } = context;
  const prompt = promptOf(turn);
  const items = turn.items ?? [];
  const calls = new Set(items.flatMap((item) => (item.type === 'tool' ? [item.toolCallId] : [])));
  const own = items.filter((item) => !calls.has(parentOf(item) ?? ''));
  const facts = turnFacts(turn);
  return (
    <section>
      {(turn.id || turn.prompt) && (
        <h2>
          Turn {number} · {utc(turn.startedAt)}
          {turn.rewound && ' · taken back later'}
        </h2>
      )}
      {turn.prompt && (
        <div className="you">
          <span className="who">You</span>
          {prompt && <Text text={prompt} />}
          {turn.prompt
            .filter((block) => block.type !== 'text')
            .map((block, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: attachments have nothing but their place
              <Attachment key={index} block={block} />
            ))}
        </div>
      )}
      {turn.steered.map((steered, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they have nothing but their place
        <div key={index} className="you">
          <span className="who">You, meanwhile</span>
          <Text text={textOfBlocks(steered.content ?? [])} />
        </div>
      ))}
      <Items items={own} depth={0} {...context} />
      {turn.error && (
        <p className="ask error">
          {turn.error.code}: <Name text={turn.error.message} maxChars={4000} />
        </p>
      )}
      {facts.length > 0 && <p className="note">{facts.map(foreign).join(' · ')}</p>}
    </section>
  );
}

function Items({ items, ...context }: Context & { items: readonly Item[] }): ReactNode {
  return groupQuiet(items, context.turn).map((one, index) => {
    if (!isGroup(one)) return <ItemView key={`${one.type}${one.seq}`} item={one} {...context} />;
    const [first, ...more] = one;
    if (first && more.length === 0) return <Tool key={first.seq} item={first} {...context} />;
    return (
      // biome-ignore lint/suspicious/noArrayIndexKey: groups have nothing but their place
      <details key={`group${index}`}>
        <summary>{quietSummary(one)}</summary>
        {one.map((item) => (
          <Tool key={item.seq} item={item} {...context} />
        ))}
      </details>
    );
  });
}

function ItemView({ item, ...context }: Context & { item: Item }): ReactNode {
  switch (item.type) {
    case 'message':
      return (
        <>
          {item.text && <Text text={item.text} />}
          {item.attachments?.map((block, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: attachments have nothing but their place
            <Attachment key={index} block={block} />
          ))}
        </>
      );
    case 'reasoning':
      if (!context.options.reasoning || !item.text) return null;
      return (
        <details className="thought">
          <summary>Thought</summary>
          <Text text={item.text} />
        </details>
      );
    case 'tool':
      return <Tool item={item} {...context} />;
    case 'plan':
      return <Checklist entries={item.entries ?? []} />;
    case 'notice':
      return (
        <p className="note">
          <Name
            text={[item.notice.replaceAll('_', ' '), item.text].filter(Boolean).join(': ')}
            maxChars={2000}
          />
        </p>
      );
    default: {
      if (!isRequest(item)) return null;
      const { what, about, answer } = requestWords(item);
      return (
        <p className="ask">
          {what} <code>{foreign(about).slice(0, 4000)}</code>
          <br />
          <span className="note">{foreign(answer)}</span>
        </p>
      );
    }
  }
}

function Tool({ item, ...context }: Context & { item: ToolItem }) {
  const { turn, cwd, options } = context;
  const children = childrenOf(turn, item.toolCallId);
  const summary = describeTool(item, { turn, cwd, hasChildren: children.length > 0 });
  const parts = options.details ? toolParts(item, summary, cwd) : [];
  const facts = [
    summary.exitCode ? `exit ${summary.exitCode}` : null,
    summary.durationMs === null ? null : formatDuration(summary.durationMs),
    summary.state === 'done' ? '✓' : summary.state,
  ].filter(Boolean);
  const head = (
    <>
      <span className="meta">{facts.join(' · ')}</span>
      {foreign(summary.verb)}{' '}
      <code>
        <Name text={summary.object.replace(/\s+/g, ' ')} maxChars={160} />
      </code>
    </>
  );
  const isFailed = summary.state === 'failed';
  return (
    <details className={isFailed ? 'failed' : undefined} open={isFailed || isShortEdit(parts)}>
      <summary>{head}</summary>
      {parts.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts have nothing but their place
        <Part key={index} part={part} />
      ))}
      {children.length > 0 && context.depth < MAX_DEPTH && (
        <Items items={children} {...context} depth={context.depth + 1} />
      )}
    </details>
  );
}

const SHORT_EDIT = 30;

function isShortEdit(parts: readonly ToolPart[]): boolean {
  const lines = parts.map((part) =>
    part.type === 'diff' ? part.file.additions + part.file.deletions : 0,
  );
  const sum = lines.reduce((one, other) => one + other, 0);
  return sum > 0 && sum <= SHORT_EDIT;
}
