import {
  type ComponentPropsWithoutRef,
  createContext,
  type ReactNode,
  type RefObject,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
} from 'react';
import type { AnswerRequest } from 'sandbox-agent-client';
import { foreign, foreignCode } from '../foreign.ts';
import type { Choice } from './choices.ts';
import { useAnswerGuard } from './useAnswerGuard.ts';
import { useDeadline } from './useDeadline.ts';
import { type RequestHandle, type RequestOptions, usePermission } from './useRequest.ts';
import { asksTo, defaultWords, outcomeWords, remaining, requestLine } from './wording.ts';

/** `data-state` of a card. */
export type CardState = 'pending' | 'sending' | 'waiting' | 'failed' | 'resolved' | 'gone';

export interface RequestCardHandle extends RequestHandle {
  cardState: CardState;
  titleId: string;
  /** Answers if the press that asks for it is meant for this card; else nothing happens, and it says `false`. */
  press(body: AnswerRequest): boolean;
  /** Only asks: for what opens something first. */
  takesPress(): boolean;
}

const Card = createContext<RequestCardHandle | null>(null);

/** Of the card around it. */
export function useRequestCard(): RequestCardHandle {
  const card = useContext(Card);
  if (!card) throw new Error('Put this into a <RequestCardRoot> or a <PermissionCard>.');
  return card;
}

type RootProps = Omit<ComponentPropsWithoutRef<'article'>, 'children'> & { children?: ReactNode };

/**
 * The element of a card: it never takes the focus, and no press counts that began within 400 ms of its coming, or of its
 * having moved under the pointer. `data-state` and `data-kind` say what it is.
 */
export function RequestCardRoot({
  handle,
  children,
  ...rest
}: RootProps & { handle: RequestHandle }) {
  const ref = useRef<HTMLElement>(null);
  const titleId = useId();
  const cardState = stateOf(handle);
  useKeptFocus(ref, cardState);
  const { takes, props } = useAnswerGuard(ref, cardState === 'pending' || cardState === 'failed');
  const card = useMemo<RequestCardHandle>(
    () => ({
      ...handle,
      cardState,
      titleId,
      takesPress: takes,
      press: (body) => {
        if (!takes()) return false;
        void handle.answer(body);
        return true;
      },
    }),
    [handle, cardState, titleId, takes],
  );
  return (
    <Card.Provider value={card}>
      <article
        aria-labelledby={titleId}
        tabIndex={-1}
        {...rest}
        {...props}
        ref={ref}
        data-request={handle.request.id}
        data-kind={handle.request.kind}
        data-state={cardState}
      >
        {children}
      </article>
    </Card.Provider>
  );
}

/** After an answer the focus is on the folded card: the button that had it is gone. */
function useKeptFocus(ref: RefObject<HTMLElement | null>, cardState: CardState): void {
  const hadFocus = useRef(false);
  useEffect(() => {
    const onFocus = (event: FocusEvent) => {
      hadFocus.current = ref.current?.contains(event.target as Node | null) ?? false;
    };
    document.addEventListener('focusin', onFocus);
    return () => document.removeEventListener('focusin', onFocus);
  }, [ref]);
  useIsomorphicLayoutEffect(() => {
    const isLost = document.activeElement === null || document.activeElement === document.body;
    if (cardState !== 'pending' && hadFocus.current && isLost) {
      ref.current?.focus({ preventScroll: true });
    }
  }, [ref, cardState]);
}

// On a server there is no layout, and React says so.
const useIsomorphicLayoutEffect = typeof window === 'undefined' ? useEffect : useLayoutEffect;

export function stateOf({ request, state }: RequestHandle): CardState {
  if (request.outcome) return 'resolved';
  if (state.phase === 'sending') return state.waits ? 'waiting' : 'sending';
  if (state.phase === 'failed' || state.phase === 'gone') return state.phase;
  return state.phase === 'resolved' ? 'resolved' : 'pending';
}

type Common = { sessionId: string; requestId: string; agent?: string } & RequestOptions;

/** A permission: what is asked, the ways to answer, and what became of it. Without children it is complete, in plain markup. */
export function PermissionCard({
  sessionId,
  requestId,
  actor,
  agent = 'The agent',
  children,
  ...rest
}: RootProps & Common) {
  const handle = usePermission(sessionId, requestId, { actor });
  if (!handle) return null;
  return (
    <RequestCardRoot {...rest} handle={handle}>
      {children ?? <PlainCard agent={agent} />}
    </RequestCardRoot>
  );
}

function PlainCard({ agent }: { agent: string }) {
  const { request, titleId, cardState, choices } = useRequestCard();
  return (
    <>
      <h3 id={titleId}>
        {foreign(agent)} {asksTo(request)}
      </h3>
      <pre>{foreignCode(requestLine(request))}</pre>
      {cardState === 'pending' || cardState === 'failed' ? (
        <>
          <Deadline />
          {/* What lasts stands apart from what refuses. */}
          {choices.deny && <ChoiceButton choice={choices.deny} />}
          {choices.allow && <ChoiceButton choice={choices.allow} />}
          {choices.others.map((choice) => (
            <ChoiceButton key={choice.id} choice={choice} />
          ))}
          {choices.always.map((choice) => (
            <details key={choice.id}>
              <summary>{foreign(choice.label)}</summary>
              <p>{choice.holds}</p>
              <ChoiceButton choice={choice}>Confirm</ChoiceButton>
            </details>
          ))}
        </>
      ) : (
        <Outcome />
      )}
    </>
  );
}

/** A button that gives one answer. */
export function ChoiceButton({
  choice,
  children,
  ...rest
}: ComponentPropsWithoutRef<'button'> & { choice: Choice }) {
  const { press } = useRequestCard();
  return (
    <button type="button" {...rest} data-choice={choice.id} onClick={() => press(choice.body)}>
      {children ?? foreign(choice.label)}
    </button>
  );
}

/** "denies in 9:31", counted down. Not read out: it changes every second. */
export function Deadline(props: ComponentPropsWithoutRef<'time'>) {
  const { request } = useRequestCard();
  const left = useDeadline(request.expiresAt);
  if (left === null) return null;
  return (
    <time
      {...props}
      dateTime={request.expiresAt ?? undefined}
      data-soon={left < 60_000 || undefined}
    >
      {left > 0 ? `${defaultWords(request)} in ${remaining(left)}` : `${defaultWords(request)} now`}
    </time>
  );
}

/** "Allowed once by ana". */
export function Outcome(props: ComponentPropsWithoutRef<'p'>) {
  const { request, cardState } = useRequestCard();
  if (!request.outcome) {
    const text =
      cardState === 'waiting'
        ? 'Will be sent when connected'
        : cardState === 'gone'
          ? 'The server does not know this request any more'
          : 'Sending…';
    return <p {...props}>{text}</p>;
  }
  const words = outcomeWords(request, request.outcome);
  return (
    <p {...props} data-tone={words.tone}>
      {foreign(words.text)}
      {words.by && ` by ${foreign(words.by)}`}
    </p>
  );
}
