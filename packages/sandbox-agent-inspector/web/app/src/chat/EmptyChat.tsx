/** A session in which nothing was said: who works where, and something to begin with. */

import { ArrowUpRight, Folder } from 'lucide-react';
import { useEffect } from 'react';
import type { SessionSnapshot } from 'sandbox-agent-client';
import { useDraft } from 'sandbox-agent-react';
import { focusComposer } from '../composer/focus.ts';
import { useMedia } from '../composer/useMedia.ts';
import { hasBegunHere } from '../shell/arrival.ts';
import { Foreign } from '../ui/index.ts';
import { useChat } from './context.ts';
import styles from './EmptyChat.module.css';

const PROMPTS = [
  'What is in this folder? Give me a short tour.',
  'Run the tests and tell me what fails.',
  'Find something worth improving and propose a change.',
];

export function EmptyChat({ snapshot }: { snapshot: SessionSnapshot }) {
  const { agent, cwd, sessionId } = useChat();
  const [draft, setDraft] = useDraft(sessionId);
  const isOpen = snapshot.info?.status !== 'ended' && snapshot.info?.status !== 'damaged';
  useWritingAtOnce(sessionId);
  // To be read and changed before it is sent; what somebody wrote stays.
  const fill = (prompt: string) => {
    const isOwn = draft.trim() !== '' && !PROMPTS.includes(draft);
    setDraft(isOwn ? `${draft.trimEnd()}\n\n${prompt}` : prompt);
    focusComposer(sessionId);
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
        <ul className={styles.prompts} aria-label="Something to begin with">
          {PROMPTS.map((prompt) => (
            <li key={prompt}>
              <button type="button" onClick={() => fill(prompt)}>
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

/** One can write as soon as the session is there. Not where that opens a keyboard over half of it. */
function useWritingAtOnce(sessionId: string): void {
  const isTouch = useMedia('(pointer: coarse)');
  useEffect(() => {
    if (isTouch) return;
    // After the dialog that made the session has given the focus back.
    const timer = setTimeout(() => {
      if (hasBegunHere()) return;
      if (!document.activeElement?.closest('input, textarea, [contenteditable], [role="dialog"]'))
        focusComposer(sessionId);
    }, 50);
    return () => clearTimeout(timer);
  }, [sessionId, isTouch]);
}
