import { Paperclip, Send, Square } from 'lucide-react';
import { useRef, useState } from 'react';
import {
  CompletionList,
  ComposerInput,
  Composer as ComposerRoot,
  useComposerContext,
} from 'sandbox-agent-react';
import { RequestSheet } from '../requests/RequestSheet.tsx';
import { useRequestKeys } from '../requests/useRequestKeys.ts';
import { notify } from '../shell/notify.tsx';
import { useShortcut } from '../shell/shortcuts.ts';
import { Button, IconButton, Tip } from '../ui/index.ts';
import { Attachments } from './Attachments.tsx';
import styles from './Composer.module.css';
import { ContextMeter } from './ContextMeter.tsx';
import { composerId } from './focus.ts';
import { ComposerNotice } from './Notice.tsx';
import { SessionSettings } from './SessionSettings.tsx';
import { Strip } from './Strip.tsx';
import { useMedia } from './useMedia.ts';

/** Where a prompt is written, with what waits to be sent. */
export function Composer({ sessionId }: { sessionId: string }) {
  const isTouch = useMedia('(pointer: coarse)');
  const isPhone = useMedia('(max-width: 600px)');
  useRequestKeys();
  const [isDragging, setDragging] = useState(false);
  return (
    <div className={styles.place}>
      {isPhone && <RequestSheet sessionId={sessionId} />}
      <ComposerRoot
        key={sessionId}
        sessionId={sessionId}
        isTouch={isTouch}
        className={styles.composer}
        data-dragging={isDragging || undefined}
        onDragEnter={() => setDragging(true)}
        onDragLeave={(event) => {
          if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setDragging(false);
        }}
        onDropCapture={() => setDragging(false)}
      >
        <Content sessionId={sessionId} isPhone={isPhone} />
      </ComposerRoot>
    </div>
  );
}

function Content({ sessionId, isPhone }: { sessionId: string; isPhone: boolean }) {
  const composer = useComposerContext();
  const { info, inputRef, isRunning, blocked } = composer;
  const picker = useRef<HTMLInputElement>(null);
  const agent = info?.agent ?? 'the agent';
  const isClosed = blocked?.why === 'damaged' || blocked?.why === 'missing';

  useShortcut('c', () => inputRef.current?.focus(), { label: 'Write a message', group: 'Session' });
  useShortcut('Ctrl+.', () => void stop(), {
    label: 'Stop the turn',
    group: 'Session',
    when: isRunning,
  });

  const stop = async (all = false) => {
    try {
      await composer.stop({ all });
    } catch (error) {
      notify({
        title: 'The turn was not stopped',
        detail: error instanceof Error ? error.message : String(error),
        tone: 'error',
      });
    }
  };

  return (
    <>
      <Strip />
      <ComposerNotice />
      <Attachments />
      <div className={styles.writing}>
        <CompletionList className={styles.completion} />
        <ComposerInput
          id={composerId(sessionId)}
          className={styles.input}
          aria-label={`Message to ${agent}`}
          placeholder={isPhone ? 'Message…' : `Message ${agent}…   @ file   / command`}
          disabled={isClosed}
          aria-busy={composer.sending !== null}
          enterKeyHint={isPhone ? 'enter' : 'send'}
        />
      </div>
      <div className={styles.bar}>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            composer.store.attach([...(event.target.files ?? [])]);
            event.target.value = '';
          }}
        />
        <IconButton
          label="Attach files"
          isDisabled={isClosed}
          onPress={() => picker.current?.click()}
        >
          <Paperclip />
        </IconButton>
        <SessionSettings sessionId={sessionId} />
        <span className={styles.gap} />
        <ContextMeter sessionId={sessionId} />
        <Buttons onStop={stop} isClosed={isClosed} isPhone={isPhone} />
      </div>
    </>
  );
}

function Buttons({
  onStop,
  isClosed,
  isPhone,
}: {
  onStop: (all?: boolean) => Promise<void>;
  isClosed: boolean;
  isPhone: boolean;
}) {
  const composer = useComposerContext();
  const { isRunning, isStopping, canSend, blocked } = composer;
  const hasMore = composer.queue.length > 0 || (composer.info?.tasks?.length ?? 0) > 0;
  const send = blocked?.why === 'ended' ? 'Resume and send' : isRunning ? 'Queue' : 'Send';
  return (
    <div className={styles.buttons}>
      {isRunning && (
        <Tip
          text={isStopping ? 'Also what is queued, and background tasks' : 'Stop the turn'}
          shortcut={isStopping ? undefined : 'Ctrl .'}
        >
          <Button
            size="small"
            icon={<Square aria-hidden fill="currentcolor" />}
            isDisabled={isStopping && !hasMore}
            onPress={() => void onStop(isStopping)}
          >
            {isStopping ? (hasMore ? 'Stop all' : 'Stopping…') : 'Stop'}
          </Button>
        </Tip>
      )}
      {isRunning && composer.canSteer && canSend && (
        <Tip text="Say it into the turn that runs" shortcut="Ctrl Shift Enter">
          <Button size="small" onPress={() => composer.send('steer')}>
            Steer
          </Button>
        </Tip>
      )}
      {isPhone && !isRunning ? (
        <IconButton
          label={send}
          size="large"
          className={styles.send}
          isDisabled={!canSend || isClosed}
          onPress={() => composer.send()}
        >
          <Send />
        </IconButton>
      ) : (
        <Button
          size="small"
          look="primary"
          isDisabled={!canSend || isClosed}
          onPress={() => composer.send()}
        >
          {send}
        </Button>
      )}
    </div>
  );
}
