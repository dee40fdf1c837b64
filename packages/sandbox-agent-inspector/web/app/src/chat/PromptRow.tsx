import { Copy, Ellipsis, GitBranch, Link, Undo2 } from 'lucide-react';
import { useState } from 'react';
import type { QueuedPrompt, Turn } from 'sandbox-agent-client';
import { type PromptBlock, promptText } from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import { linkTo, paths } from '../shell/navigation.ts';
import { Button, IconButton, Menu } from '../ui/index.ts';
import { useChat } from './context.ts';
import { clockTime } from './format.ts';
import { useOperations } from './operations.tsx';
import styles from './rows.module.css';
import { Attachment } from './tools/index.ts';

const FOLDED_LINES = 12;

export function PromptRow({ turn, blocks }: { turn: Turn; blocks: readonly PromptBlock[] }) {
  return (
    <div className={styles.prompt}>
      <div className={styles.meta}>
        <span className={styles.author}>You</span>
        {turn.startedAt && <time dateTime={turn.startedAt}>{clockTime(turn.startedAt)}</time>}
        {turn.rewound && <span>taken back</span>}
        {turn.id && <PromptMenu turnId={turn.id} text={promptText(blocks)} />}
      </div>
      <PromptBody blocks={blocks} />
    </div>
  );
}

export function SteeredRow({ blocks, time }: { blocks: readonly PromptBlock[]; time: string }) {
  return (
    <div className={styles.steered}>
      <div className={styles.prompt}>
        <div className={styles.meta}>
          <span className={styles.author}>You</span>
          <time dateTime={time}>{clockTime(time)}</time>
          <span>said while it worked</span>
        </div>
        <PromptBody blocks={blocks} />
      </div>
    </div>
  );
}

export function QueuedRow({ prompt, position }: { prompt: QueuedPrompt; position: number }) {
  return (
    <div className={`${styles.prompt} ${styles.pending}`}>
      <div className={styles.meta}>
        <span className={styles.author}>You</span>
        <span>{position === 1 ? 'next in line' : `${position}. in line`}</span>
      </div>
      <PromptBody blocks={prompt.prompt ?? []} />
    </div>
  );
}

export function OutboxRow({ blocks, words }: { blocks: readonly PromptBlock[]; words: string }) {
  return (
    <div className={`${styles.prompt} ${styles.pending}`}>
      <div className={styles.meta}>
        <span className={styles.author}>You</span>
        <span>{words}</span>
      </div>
      <PromptBody blocks={blocks} />
    </div>
  );
}

function PromptBody({ blocks }: { blocks: readonly PromptBlock[] }) {
  const [isWhole, setWhole] = useState(false);
  const text = promptText(blocks);
  const others = blocks.filter((block) => block.type !== 'text');
  const isLong = text.length > 1600 || text.split('\n', FOLDED_LINES + 2).length > FOLDED_LINES;
  return (
    <>
      {text && (
        <p className={styles.promptText} data-folded={(isLong && !isWhole) || undefined}>
          {isLong && !isWhole ? text.slice(0, 4000) : text}
        </p>
      )}
      {isLong && (
        <Button
          size="small"
          look="quiet"
          aria-expanded={isWhole}
          onPress={() => setWhole(!isWhole)}
        >
          {isWhole ? 'Show less' : 'Show all'}
        </Button>
      )}
      {others.length > 0 && (
        <div className={styles.attachments}>
          {others.map((block, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: blocks have nothing but their place
            <Attachment key={index} block={block} />
          ))}
        </div>
      )}
    </>
  );
}

function PromptMenu({ turnId, text }: { turnId: string; text: string }) {
  const { sessionId } = useChat();
  const { fork, askRewind } = useOperations();
  const actions: Record<string, () => unknown> = {
    copy: () => copyText(text, 'Prompt'),
    link: () => copyText(linkTo(paths.turn(sessionId, turnId)), 'Link'),
    fork: () => fork(turnId),
    rewind: () => askRewind(turnId),
  };
  return (
    <div className={styles.actions}>
      <Menu
        label="This turn"
        placement="bottom end"
        trigger={
          <IconButton label="What to do with this turn" size="small">
            <Ellipsis />
          </IconButton>
        }
        entries={[
          { id: 'copy', label: 'Copy prompt', icon: <Copy /> },
          { id: 'link', label: 'Copy link', icon: <Link /> },
          {
            id: 'fork',
            label: 'New session from here',
            description: 'It begins with what was before this prompt.',
            icon: <GitBranch />,
          },
          {
            id: 'rewind',
            label: 'Go back to before this…',
            description: 'The agent forgets this prompt and all after it.',
            icon: <Undo2 />,
          },
        ]}
        onAction={(id) => actions[id]?.()}
      />
    </div>
  );
}
