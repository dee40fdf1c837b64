import { Copy, Link, ListTree } from 'lucide-react';
import type { MessageItem, ReasoningItem } from 'sandbox-agent-client';
import { formatDuration } from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import { linkTo, paths, useNavigate } from '../shell/navigation.ts';
import { Disclosure, IconButton } from '../ui/index.ts';
import { useChat } from './context.ts';
import { disclosures, useDisclosed } from './disclosed.ts';
import { Prose } from './Prose.tsx';
import styles from './rows.module.css';
import { Attachment } from './tools/index.ts';

/** Copy, link and timeline: what every message offers. */
export function MessageActions({ text, seq }: { text: string; seq: number }) {
  const { sessionId } = useChat();
  const navigate = useNavigate();
  const path = paths.event(sessionId, seq);
  return (
    <div className={`${styles.actions} ${styles.messageActions}`}>
      <IconButton label="Copy text" size="small" onPress={() => copyText(text, 'Text')}>
        <Copy />
      </IconButton>
      <IconButton
        label="Copy link"
        shortcut="y"
        size="small"
        onPress={() => copyText(linkTo(path), 'Link')}
      >
        <Link />
      </IconButton>
      <IconButton label="Show in timeline" shortcut="e" size="small" onPress={() => navigate(path)}>
        <ListTree />
      </IconButton>
    </div>
  );
}

export function MessageRow({ item, rowKey }: { item: MessageItem; rowKey: string }) {
  const { sessionId } = useChat();
  const text = item.text ?? '';
  const attachments = item.attachments ?? [];
  return (
    <div className={styles.message} data-streaming={item.streaming || undefined}>
      {item.late && <p className={styles.late}>after the turn had ended</p>}
      <Prose
        text={text}
        streaming={item.streaming ?? false}
        cacheKey={`${sessionId}/${rowKey}`}
        className={item.streaming ? styles.caret : ''}
      />
      {attachments.length > 0 && (
        <div className={styles.attachments}>
          {attachments.map((block, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: blocks have nothing but their place
            <Attachment key={index} block={block} />
          ))}
        </div>
      )}
      {!item.streaming && text && <MessageActions text={text} seq={item.seq} />}
    </div>
  );
}

interface ReasoningRowProps {
  item: ReasoningItem;
  rowKey: string;
  /** When what came before it had come. */
  since: string | null;
}

export function ReasoningRow({ item, rowKey, since }: ReasoningRowProps) {
  const { sessionId } = useChat();
  const isOpen = useDisclosed(rowKey);
  const ms = since === null ? null : Date.parse(item.time) - Date.parse(since);
  const thought = ms === null || ms < 1000 ? 'Thought' : `Thought for ${formatDuration(ms)}`;
  return (
    <Disclosure
      summary={item.streaming ? 'Thinking…' : thought}
      isOpen={isOpen}
      onToggle={(open) => disclosures.set(rowKey, open)}
    >
      <div className={styles.thoughts}>
        <Prose
          text={item.text ?? ''}
          streaming={item.streaming ?? false}
          cacheKey={`${sessionId}/${rowKey}`}
        />
      </div>
    </Disclosure>
  );
}
