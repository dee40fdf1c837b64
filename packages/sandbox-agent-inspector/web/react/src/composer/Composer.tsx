import { type ComponentPropsWithoutRef, createContext, type ReactNode, useContext } from 'react';
import { foreign } from '../foreign.ts';
import { byteWords } from './attachments.ts';
import { type ComposerHandle, useComposer } from './useComposer.ts';

const Context = createContext<ComposerHandle | null>(null);

/** Of the composer around it. */
export function useComposerContext(): ComposerHandle {
  const composer = useContext(Context);
  if (!composer) throw new Error('Put this into a <Composer>.');
  return composer;
}

type Props = Omit<ComponentPropsWithoutRef<'form'>, 'children'> & {
  sessionId: string;
  isTouch?: boolean;
  children?: ReactNode;
};

/** Where a prompt is written: a form that takes dropped files. Without children it is complete, in plain markup. */
export function Composer({ sessionId, isTouch, children, ...rest }: Props) {
  const composer = useComposer(sessionId, { isTouch });
  return (
    <Context.Provider value={composer}>
      <form
        aria-label="Prompt"
        {...rest}
        data-state={composer.sending ? 'sending' : composer.isRunning ? 'running' : 'idle'}
        data-blocked={composer.blocked?.why}
        onSubmit={(event) => {
          event.preventDefault();
          composer.send();
        }}
        onDragOver={(event) => {
          if (event.dataTransfer.types.includes('Files')) event.preventDefault();
        }}
        onDrop={(event) => {
          if (event.dataTransfer.files.length === 0) return;
          event.preventDefault();
          composer.store.attach([...event.dataTransfer.files]);
        }}
      >
        {children ?? <PlainComposer />}
      </form>
    </Context.Provider>
  );
}

/** The text itself. */
export function ComposerInput(props: ComponentPropsWithoutRef<'textarea'>) {
  const { inputProps, inputRef } = useComposerContext();
  return <textarea aria-label="Message" rows={1} {...props} {...inputProps} ref={inputRef} />;
}

/** Files or commands that the word at the caret can become. */
export function CompletionList(props: ComponentPropsWithoutRef<'ul'>) {
  const { completion, listId, optionId, take } = useComposerContext();
  if (!completion || completion.items.length === 0) return null;
  return (
    <ul
      aria-label={completion.trigger.kind === 'file' ? 'Files' : 'Commands'}
      {...props}
      id={listId}
      // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: the list of a combobox; the text keeps the focus
      role="listbox"
    >
      {completion.items.map((item, index) => (
        <li
          key={item.id}
          id={optionId(index)}
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: as above
          role="option"
          tabIndex={-1}
          aria-selected={index === completion.index}
          onPointerDown={(event) => {
            event.preventDefault();
            take(item);
          }}
        >
          <bdi>{foreign(item.label)}</bdi>
          {item.detail && <small>{foreign(item.detail)}</small>}
        </li>
      ))}
    </ul>
  );
}

function PlainComposer() {
  const composer = useComposerContext();
  const { attachments, problem, isRunning, canSend, store } = composer;
  return (
    <>
      <CompletionList />
      {problem && <p role="alert">{problem.message}</p>}
      {attachments.length > 0 && (
        <ul aria-label="Attachments">
          {attachments.map((one) => (
            <li key={one.id} data-state={one.state.phase}>
              <bdi>{foreign(one.name)}</bdi> {byteWords(one.size)}
              <button type="button" onClick={() => store.detach(one.id)}>
                Remove
              </button>
            </li>
          ))}
        </ul>
      )}
      <ComposerInput />
      {isRunning && (
        <button type="button" onClick={() => void composer.stop()}>
          Stop
        </button>
      )}
      {isRunning && composer.canSteer && (
        <button type="button" disabled={!canSend} onClick={() => composer.send('steer')}>
          Steer
        </button>
      )}
      <button type="submit" disabled={!canSend}>
        {isRunning ? 'Queue' : 'Send'}
      </button>
    </>
  );
}
