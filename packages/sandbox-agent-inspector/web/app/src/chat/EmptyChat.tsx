/** A session in which nothing was said: who works where, and something to begin with. */

import { ArrowUpRight, Folder } from 'lucide-react';
import { useState } from 'react';
import type { SessionSnapshot } from 'sandbox-agent-client';
import { useSessionStore } from 'sandbox-agent-react';
import { notify } from '../shell/notify.tsx';
import { Foreign } from '../ui/index.ts';
import { useChat } from './context.ts';
import styles from './EmptyChat.module.css';
import { wordsOf } from './problems.ts';

const PROMPTS = [
  'What is in this folder? Give me a short tour.',
  'Run the tests and tell me what fails.',
  'Find something worth improving and propose a change.',
];

export function EmptyChat({ snapshot }: { snapshot: SessionSnapshot }) {
  const { agent, cwd, sessionId } = useChat();
  const store = useSessionStore(sessionId);
  const [isSending, setSending] = useState(false);
  const isOpen = snapshot.info?.status !== 'ended' && snapshot.info?.status !== 'damaged';
  const send = async (text: string) => {
    setSending(true);
    try {
      await store.send(text);
    } catch (problem) {
      notify({ title: 'The prompt was not sent', detail: wordsOf(problem), tone: 'error' });
    } finally {
      setSending(false);
    }
  };
  return (
    <div className={styles.empty}>
      <h2 className={styles.title}>
        What should <Foreign text={agent} maxChars={40} /> do?
      </h2>
      <p className={styles.where}>
        <Folder aria-hidden />
        <Foreign text={cwd} maxChars={80} />
      </p>
      {isOpen && (
        <ul className={styles.prompts}>
          {PROMPTS.map((prompt) => (
            <li key={prompt}>
              <button type="button" disabled={isSending} onClick={() => send(prompt)}>
                <span>{prompt}</span>
                <ArrowUpRight aria-hidden />
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
