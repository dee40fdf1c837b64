import { ListChecks, Pencil, X } from 'lucide-react';
import type { QueuedPrompt } from 'sandbox-agent-client';
import { textOf, useComposerContext } from 'sandbox-agent-react';
import { notify } from '../shell/notify.tsx';
import { Foreign, IconButton } from '../ui/index.ts';
import styles from './Composer.module.css';

/** How far the plan is, and what waits for its turn. */
export function Strip() {
  const { plan, queue } = useComposerContext();
  if (!plan && queue.length === 0) return null;
  return (
    <div className={styles.strip}>
      {plan && (
        <p className={styles.plan}>
          <ListChecks aria-hidden />
          <span className={styles.count}>
            Plan {plan.done}/{plan.total}
          </span>
          {plan.current && <Foreign text={plan.current} maxChars={90} className={styles.current} />}
        </p>
      )}
      {queue.length > 0 && (
        <ol className={styles.queue} aria-label="Queued prompts">
          {queue.map((prompt, index) => (
            <Queued key={prompt.turnId ?? index} prompt={prompt} number={index + 1} />
          ))}
        </ol>
      )}
    </div>
  );
}

function Queued({ prompt, number }: { prompt: QueuedPrompt; number: number }) {
  const { editQueued, unqueue } = useComposerContext();
  const text = textOf(prompt.prompt ?? []);
  const attempt = async (act: (prompt: QueuedPrompt) => Promise<void>) => {
    try {
      await act(prompt);
    } catch (error) {
      notify({
        title: 'The prompt is still queued',
        detail: error instanceof Error ? error.message : String(error),
        tone: 'error',
      });
    }
  };
  return (
    <li className={styles.queued}>
      <span className={styles.count}>Queue {number}</span>
      <Foreign text={text || 'Files'} maxChars={110} className={styles.current} />
      <IconButton
        label={`Edit queued prompt ${number}`}
        size="small"
        onPress={() => void attempt(editQueued)}
      >
        <Pencil />
      </IconButton>
      <IconButton
        label={`Remove queued prompt ${number}`}
        size="small"
        onPress={() => void attempt(unqueue)}
      >
        <X />
      </IconButton>
    </li>
  );
}
