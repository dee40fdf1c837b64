import { useEffect, useId, useRef, useState } from 'react';
import type { SessionInfo } from 'sandbox-agent-client';
import { composerOf, foreign, refusal, useRequestCard, useServerStore } from 'sandbox-agent-react';
import { notify } from '../shell/notify.tsx';
import { Button, Foreign, TextField } from '../ui/index.ts';
import styles from './Actions.module.css';

type OnReject = 'continue' | 'stop' | null;

/** A refusal with words, and with what becomes of the turn. */
export function RefusePanel({
  session,
  onClose,
}: {
  session: SessionInfo | null;
  onClose: () => void;
}) {
  const { choices, takes, takesPress, answer, request } = useRequestCard();
  const store = useServerStore();
  const [message, setMessage] = useState('');
  const [onReject, setOnReject] = useState<OnReject>(null);
  const [how, setHow] = useState(choices.deny?.id ?? choices.refusals[0]?.id ?? '');
  const field = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  const id = useId();
  useEffect(() => field.current?.focus(), []);
  const refusals = [...(choices.deny ? [choices.deny] : []), ...choices.refusals];
  const isHook = request.hook !== null;
  const agent = session?.agent ?? 'the agent';

  const send = async () => {
    const choice = refusals.find((one) => one.id === how) ?? refusals[0];
    if (!choice || !takesPress()) return;
    const { body, prompt } = refusal(choice, { message, onReject }, takes);
    const state = await answer(body);
    if (!prompt || state.phase === 'failed') return;
    if (state.phase !== 'resolved' || !state.isMine) {
      keep(prompt);
      return;
    }
    try {
      await store.session(request.sessionId).send(prompt);
    } catch (error) {
      keep(prompt);
      notify({
        title: 'Denied, but the reason was not sent',
        detail: `It is where you write to ${foreign(agent)}: ${error instanceof Error ? error.message : String(error)}`,
        tone: 'error',
      });
    }
  };
  /** What is not sent now stays as a draft: the answer waits for the connection, or somebody else was faster. */
  const keep = (words: string) => {
    const { drafts } = composerOf(
      store.client,
      store.session(request.sessionId),
      request.sessionId,
    );
    const draft = drafts.get(request.sessionId);
    drafts.set(request.sessionId, draft.trim() ? `${words}\n\n${draft}` : words);
  };

  return (
    <div className={styles.panel}>
      <TextField
        inputRef={field}
        label="Why not?"
        value={message}
        onChange={setMessage}
        rows={2}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === 'Escape') onClose();
          else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void send();
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
        description={
          takes.message || isHook
            ? `${foreign(agent)} is told this with the refusal.`
            : `${foreign(agent)} takes no words with a refusal: they are sent as the next prompt.`
        }
      />
      {refusals.length > 1 && (
        <fieldset className={styles.rejects}>
          <legend>For how long</legend>
          {refusals.map((one) => (
            <label key={one.id} className={styles.choice}>
              <input
                type="radio"
                name={`${id}-how`}
                checked={how === one.id}
                onChange={() => setHow(one.id)}
              />
              <span>
                <Foreign text={one.label} maxChars={200} />
                <small className={styles.holds}>{one.holds}</small>
              </span>
            </label>
          ))}
        </fieldset>
      )}
      {!isHook && (
        <fieldset className={styles.rejects}>
          <legend>The turn then</legend>
          {REJECTS.filter(({ value }) => value !== 'continue' || takes.onReject).map((one) => (
            <label key={one.label} className={styles.choice}>
              <input
                type="radio"
                name={id}
                checked={onReject === one.value}
                onChange={() => setOnReject(one.value)}
              />
              <span>{one.label}</span>
            </label>
          ))}
        </fieldset>
      )}
      <div className={styles.panelButtons}>
        <Button look="quiet" onPress={onClose}>
          Back
        </Button>
        <Button look="danger" onPress={() => void send()}>
          Deny
        </Button>
      </div>
    </div>
  );
}

const REJECTS: readonly { value: OnReject; label: string }[] = [
  { value: null, label: 'goes on as the agent does it' },
  { value: 'continue', label: 'goes on without it' },
  { value: 'stop', label: 'stops' },
];
