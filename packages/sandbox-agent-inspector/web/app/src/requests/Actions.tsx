import { useEffect, useRef, useState } from 'react';
import type { SessionInfo } from 'sandbox-agent-client';
import { type Choice, foreign, useRequestCard } from 'sandbox-agent-react';
import { Banner, Button, Foreign, keyLabel } from '../ui/index.ts';
import styles from './Actions.module.css';
import { AlwaysPanel } from './AlwaysPanel.tsx';
import { ContextPanel } from './ContextPanel.tsx';
import { bindActions } from './current.ts';
import { EditPanel } from './EditPanel.tsx';
import { RefusePanel } from './RefusePanel.tsx';

type Open = 'always' | 'refuse' | 'edit' | 'context' | null;

/** The ways to answer. What lasts, and what needs words, opens a panel in their place first. */
export function Actions({ session }: { session: SessionInfo | null }) {
  const { choices, press, takesPress, state, takes, request } = useRequestCard();
  const [open, setOpen] = useState<Open>(null);
  const ref = useRef<HTMLDivElement>(null);
  const { allow, deny, always, others, refusals } = choices;

  useEffect(() => {
    const element = ref.current;
    if (!element || open) return;
    return bindActions(element, {
      allow: () => (allow ? press(allow.body) : false),
      deny: () => (deny ? press(deny.body) : false),
    });
  }, [open, allow, deny, press]);

  const show = (panel: Open) => {
    if (takesPress()) setOpen(panel);
  };
  const close = () => setOpen(null);
  const takesInput = takes.updatedInput || request.hook === 'before_tool';
  const canEdit =
    takesInput && request.hook !== 'after_tool' && allow !== null && request.tool?.input != null;

  return (
    <div ref={ref} className={styles.actions}>
      {state.phase === 'failed' && (
        <Banner tone="err" title="The server did not take the answer.">
          {foreign(state.problem.message)}
        </Banner>
      )}
      {open === 'always' && <AlwaysPanel choices={always} onClose={close} />}
      {open === 'refuse' && <RefusePanel session={session} onClose={close} />}
      {open === 'context' && <ContextPanel onClose={close} />}
      {open === 'edit' && <EditPanel onClose={close} />}
      {!open && (
        <>
          {others.length > 0 && (
            <div className={styles.others}>
              {others.map((choice) => (
                <Button key={choice.id} size="small" onPress={() => press(choice.body)}>
                  <Foreign text={choice.label} maxChars={80} />
                </Button>
              ))}
            </div>
          )}
          <div className={styles.buttons}>
            {deny && <MainButton choice={deny} keys="Alt N" look="default" onPress={press} />}
            {deny && (
              <Button look="quiet" className={styles.why} onPress={() => show('refuse')}>
                {refusals.length > 0 ? 'Deny otherwise…' : 'Deny and say why…'}
              </Button>
            )}
            {/* Together, or what lasts would wrap to where a refusal is. */}
            <div className={styles.allowing}>
              {request.hook === 'after_tool' && (
                <Button look="quiet" className={styles.edit} onPress={() => show('context')}>
                  Tell the model more…
                </Button>
              )}
              {canEdit && (
                <Button look="quiet" className={styles.edit} onPress={() => show('edit')}>
                  Edit…
                </Button>
              )}
              {allow && <MainButton choice={allow} keys="Alt Y" look="primary" onPress={press} />}
              {always.length > 0 && (
                <Button look="quiet" className={styles.always} onPress={() => show('always')}>
                  Always allow…
                </Button>
              )}
            </div>
          </div>
        </>
      )}
    </div>
  );
}

function MainButton({
  choice,
  keys,
  look,
  onPress,
}: {
  choice: Choice;
  keys: string;
  look: 'primary' | 'default';
  onPress: (body: Choice['body']) => void;
}) {
  return (
    <Button
      look={look}
      className={look === 'primary' ? styles.allow : styles.deny}
      shortcut={<span aria-hidden>{keyLabel(keys)}</span>}
      aria-keyshortcuts={keys.replace(' ', '+')}
      onPress={() => onPress(choice.body)}
    >
      <Foreign text={choice.label} maxChars={60} />
    </Button>
  );
}
