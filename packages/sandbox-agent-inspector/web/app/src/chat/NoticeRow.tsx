/** What a reader should know that is no message. */
import type { NoticeItem } from 'sandbox-agent-client';
import { foreign } from 'sandbox-agent-react';
import { Banner, Disclosure } from '../ui/index.ts';
import { useChat } from './context.ts';
import { disclosures, useDisclosed } from './disclosed.ts';
import { Prose } from './Prose.tsx';
import styles from './rows.module.css';

/** Of a resume: what the agent remembers. */
const CONTINUITY: Readonly<Record<string, string>> = {
  native: 'The agent was started again and remembers everything',
  replayed: 'The agent was started again and was given what was said before as text',
  lost: 'The agent was started again and remembers nothing of the above',
};

export function NoticeRow({ item, rowKey }: { item: NoticeItem; rowKey: string }) {
  const { agent } = useChat();
  switch (item.notice) {
    case 'session_resumed':
      return (
        <p className={styles.divider}>
          <span>
            <strong>{CONTINUITY[item.code ?? ''] ?? 'The agent was started again'}</strong>
            {item.text && <bdi> · {foreign(item.text)}</bdi>}
          </span>
        </p>
      );
    case 'context_compacted':
      return (
        <>
          <p className={styles.divider}>
            <span>{item.text || 'The context was compacted.'}</span>
          </p>
          {item.detail && <Detail rowKey={rowKey} label="What it remembers" text={item.detail} />}
        </>
      );
    case 'agent_exited':
      return (
        <Banner tone="err" title={`${agent} is gone`}>
          <p>{item.text} Your next message starts it again.</p>
          {item.detail && <pre className={styles.stderr}>{foreignLines(item.detail)}</pre>}
        </Banner>
      );
    case 'error':
      return (
        <Banner tone="err" title="Something failed">
          <p>
            <bdi>{item.text}</bdi>
          </p>
          {item.code && <p className={styles.code}>{foreign(item.code)}</p>}
        </Banner>
      );
    case 'mcp_status':
      return (
        <Banner tone={item.code === 'failed' ? 'err' : 'info'} title={foreign(item.text ?? '')}>
          {item.detail && <pre className={styles.stderr}>{foreignLines(item.detail)}</pre>}
        </Banner>
      );
    default:
      return (
        <Banner tone="neutral" title={item.text}>
          {item.detail && <p>{item.detail}</p>}
        </Banner>
      );
  }
}

function foreignLines(text: string): string {
  return text.split('\n').map(foreign).join('\n');
}

function Detail({ rowKey, label, text }: { rowKey: string; label: string; text: string }) {
  const isOpen = useDisclosed(rowKey);
  return (
    <Disclosure summary={label} isOpen={isOpen} onToggle={(open) => disclosures.set(rowKey, open)}>
      <div className={styles.thoughts}>
        <Prose text={text} cacheKey={rowKey} />
      </div>
    </Disclosure>
  );
}
