import {
  type ChangeEvent,
  type ClipboardEvent,
  type KeyboardEvent,
  type RefObject,
  type SyntheticEvent,
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import type {
  Command,
  OutboxPrompt,
  QueuedPrompt,
  SessionInfo,
  SessionSnapshot,
} from 'sandbox-agent-client';
import {
  useClient,
  useConnection,
  useSessionInfo,
  useSessionSelector,
  useSessionStore,
} from '../server/hooks.ts';
import { MAX_PASTED_CHARS } from './attachments.ts';
import { type Completion, complete } from './completion.ts';
import {
  NO_RECALL,
  type Recall,
  recallable,
  recalled,
  recallNewer,
  recallOlder,
} from './history.ts';
import { keyOf } from './keys.ts';
import {
  type Blocked,
  blockedBy,
  canSteer,
  currentPlan,
  type PlanProgress,
  planProgress,
  promptTexts,
} from './session.ts';
import { type ComposerSnapshot, type ComposerStore, composerOf, type SendHow } from './store.ts';
import { type CompletionHandle, useCompletion } from './useCompletion.ts';

// On a server there is no layout, and React says so.
const useIsomorphicLayoutEffect = typeof window === 'undefined' ? useEffect : useLayoutEffect;
const ESCAPE_MS = 2000;
const NO_COMMANDS: readonly Command[] = [];
const NO_QUEUE: readonly QueuedPrompt[] = [];

const commandsOf = ({ transcript }: SessionSnapshot) => transcript.commands ?? NO_COMMANDS;
const queueOf = ({ transcript }: SessionSnapshot) => transcript.queued ?? NO_QUEUE;
const planOf = ({ transcript }: SessionSnapshot) => currentPlan(transcript);

/** What is written for a session and not sent yet, for those who put something there: a suggestion, a quotation. */
export function useDraft(sessionId: string): [draft: string, set: (text: string) => void] {
  const client = useClient();
  const { drafts } = composerOf(client, useSessionStore(sessionId), sessionId);
  const text = useSyncExternalStore(
    drafts.subscribe,
    () => drafts.get(sessionId),
    () => '',
  );
  const set = useCallback((next: string) => drafts.set(sessionId, next), [drafts, sessionId]);
  return [text, set];
}

export interface ComposerHandle extends ComposerSnapshot {
  store: ComposerStore;
  text: string;
  setText(text: string): void;
  info: SessionInfo | null;
  blocked: Blocked | null;
  isRunning: boolean;
  canSteer: boolean;
  /** There is something to send, and it is not on its way yet. */
  canSend: boolean;
  isConnected: boolean;
  send(how?: SendHow): void;
  outbox: readonly OutboxPrompt[];
  queue: readonly QueuedPrompt[];
  unqueue(prompt: QueuedPrompt): Promise<void>;
  /** Take a queued prompt back into the text. */
  editQueued(prompt: QueuedPrompt): Promise<void>;
  plan: PlanProgress | null;
  /** Stop the turn that runs; `all`: what is queued and what runs in the background, too. */
  stop(options?: { all?: boolean }): Promise<void>;
  /** A stop has been asked for, and the turn has not ended yet. */
  isStopping: boolean;
  /** Escape was pressed once while a turn runs: once more stops it. */
  isEscapeArmed: boolean;
  completion: CompletionHandle | null;
  take(completion: Completion): void;
  inputRef: RefObject<HTMLTextAreaElement | null>;
  listId: string;
  optionId(index: number): string;
  inputProps: {
    value: string;
    onChange(event: ChangeEvent<HTMLTextAreaElement>): void;
    onKeyDown(event: KeyboardEvent<HTMLTextAreaElement>): void;
    onSelect(event: SyntheticEvent<HTMLTextAreaElement>): void;
    onPaste(event: ClipboardEvent<HTMLTextAreaElement>): void;
    role: 'combobox' | undefined;
    'aria-autocomplete': 'list';
    'aria-expanded': boolean;
    'aria-controls': string | undefined;
    'aria-activedescendant': string | undefined;
  };
}

/** All of a composer but its looks: draft, attachments, completion, history, queue, and what a session takes. */
export function useComposer(
  sessionId: string,
  { isTouch = false }: { isTouch?: boolean } = {},
): ComposerHandle {
  const client = useClient();
  const session = useSessionStore(sessionId);
  // Part by part: a turn that streams changes none of them.
  const info = useSessionInfo(sessionId);
  const outbox = useSessionSelector(sessionId, (snapshot) => snapshot.outbox);
  const state = useSessionSelector(sessionId, (snapshot) => snapshot.state);
  const commands = useSessionSelector(sessionId, commandsOf);
  const queue = useSessionSelector(sessionId, queueOf);
  const planItem = useSessionSelector(sessionId, planOf);
  const connection = useConnection();
  const store = composerOf(client, session, sessionId);
  const snapshot = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
  const { drafts } = store;
  const [text, setText] = useDraft(sessionId);

  const inputRef = useRef<HTMLTextAreaElement>(null);
  const listId = useId();
  const [caret, setCaret] = useState(0);
  const nextCaret = useRef<number | null>(null);
  useIsomorphicLayoutEffect(() => {
    const at = nextCaret.current;
    nextCaret.current = null;
    if (at !== null) inputRef.current?.setSelectionRange(at, at);
  });

  const completion = useCompletion(client, {
    text,
    caret: Math.min(caret, text.length),
    cwd: info?.cwd ?? '',
    commands,
  });

  const { isRunning, stop, isStopping } = useStop(sessionId, info);
  const { isEscapeArmed, pressEscape } = useEscape(isRunning, stop);
  const [recall, setRecall] = useState<Recall>(NO_RECALL);

  const send = useCallback((how: SendHow = 'queue') => void store.send(how), [store]);
  const put = (next: string, at: number) => {
    setText(next);
    setCaret(at);
    nextCaret.current = at;
  };
  const take = (chosen: Completion) => {
    if (!completion) return;
    const done = complete(text, completion.trigger, chosen);
    put(done.text, done.caret);
    inputRef.current?.focus();
  };
  const walk = (next: Recall | null): boolean => {
    if (!next) return false;
    setRecall(next);
    const shown = recalled(next);
    put(shown, shown.length);
    return true;
  };

  const onCompletionKey = (event: KeyboardEvent): boolean => {
    if (!completion || event.nativeEvent.isComposing) return false;
    const item = completion.items[completion.index];
    if (event.key === 'Escape') completion.close();
    else if (event.key === 'ArrowDown' && item) completion.move(1);
    else if (event.key === 'ArrowUp' && item) completion.move(-1);
    else if (isTaking(event) && item && !isTyped(item, completion, text)) take(item);
    else return false;
    return true;
  };

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (onCompletionKey(event)) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    const pressed = {
      key: event.key,
      keyCode: event.keyCode,
      shiftKey: event.shiftKey,
      ctrlKey: event.ctrlKey,
      metaKey: event.metaKey,
      altKey: event.altKey,
      isComposing: event.nativeEvent.isComposing,
    };
    const isRecalling = recall.index >= 0 && recalled(recall) === text;
    const key = keyOf(pressed, { text, isRecalling, isTouch });
    let isTaken = true;
    if (key === 'send' || key === 'queue') send('queue');
    else if (key === 'steer') send(canSteer(info) && isRunning ? 'steer' : 'queue');
    else if (key === 'older') {
      const known = () =>
        recallable(promptTexts(session.getSnapshot().transcript), store.history.all());
      isTaken = walk(recallOlder(isRecalling ? recall : NO_RECALL, known));
    } else if (key === 'newer') isTaken = walk(recallNewer(recall));
    else isTaken = key === 'escape' && pressEscape();
    if (isTaken) event.preventDefault();
  };

  const isExpanded = completion !== null && completion.items.length > 0;
  const optionId = (index: number) => `${listId}-${index}`;
  const hasContent = text.trim() !== '' || snapshot.attachments.length > 0;
  const isReady = snapshot.attachments.every((one) => one.state.phase === 'ready');
  const blocked = useMemo(() => blockedBy(info, state), [info, state]);
  const plan = useMemo(() => planProgress(planItem), [planItem]);

  return {
    ...snapshot,
    store,
    text,
    setText,
    info,
    blocked,
    isRunning,
    canSteer: canSteer(info),
    canSend: hasContent && isReady && !snapshot.sending,
    isConnected: connection.state === 'live',
    send,
    outbox,
    queue,
    unqueue: async ({ turnId }) => {
      if (turnId) await client.sessions.cancel(sessionId, { turnId });
    },
    editQueued: async ({ turnId, prompt }) => {
      if (!turnId) return;
      await client.sessions.cancel(sessionId, { turnId });
      const words = textOf(prompt ?? []);
      const draft = drafts.get(sessionId);
      setText(draft.trim() ? `${words}\n\n${draft}` : words);
      inputRef.current?.focus();
    },
    plan,
    stop,
    isStopping,
    isEscapeArmed,
    completion,
    take,
    inputRef,
    listId,
    optionId,
    inputProps: {
      value: text,
      onChange: (event) => {
        setRecall(NO_RECALL);
        setText(event.target.value);
        setCaret(event.target.selectionStart);
      },
      onKeyDown,
      onSelect: (event) => setCaret(event.currentTarget.selectionStart),
      onPaste: (event) => {
        const files = [...event.clipboardData.files];
        const pasted = event.clipboardData.getData('text/plain');
        if (files.length === 0 && pasted.length > MAX_PASTED_CHARS) {
          files.push(new File([pasted], 'pasted.txt', { type: 'text/plain' }));
        }
        if (files.length === 0) return;
        // A picture that was copied from a page comes with its address as text: the picture is meant.
        event.preventDefault();
        store.attach(files);
      },
      role: isExpanded ? 'combobox' : undefined,
      'aria-autocomplete': 'list',
      'aria-expanded': isExpanded,
      'aria-controls': isExpanded ? listId : undefined,
      'aria-activedescendant': isExpanded && completion ? optionId(completion.index) : undefined,
    },
  };
}

function isTaking(event: KeyboardEvent): boolean {
  if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return false;
  return event.key === 'Tab' || event.key === 'Enter';
}

/** What is there already, whole: Enter sends it then. */
function isTyped(item: Completion, { trigger }: CompletionHandle, text: string): boolean {
  return trigger.kind === 'command' && text.slice(trigger.start, trigger.end) === item.insert;
}

export function textOf(blocks: NonNullable<QueuedPrompt['prompt']>): string {
  return blocks
    .flatMap((block) =>
      block.type === 'text' && typeof block.text === 'string' ? [block.text] : [],
    )
    .join('\n');
}

function useStop(sessionId: string, info: SessionInfo | null) {
  const client = useClient();
  const turnId = info?.currentTurnId ?? null;
  const isRunning = info?.status === 'running' || info?.status === 'waiting';
  const [stopped, setStopped] = useState<string | null>(null);
  const isStopping = isRunning && stopped !== null && stopped === (turnId ?? '');
  const stop = useCallback(
    async ({ all = false }: { all?: boolean } = {}) => {
      setStopped(turnId ?? '');
      try {
        const body = all || !turnId ? { tasks: all || undefined } : { turnId };
        await client.sessions.cancel(sessionId, body);
      } catch (error) {
        setStopped(null);
        throw error;
      }
    },
    [client, sessionId, turnId],
  );
  return { isRunning, stop, isStopping };
}

/** Twice within a moment: one Escape is pressed easily. */
function useEscape(isRunning: boolean, stop: () => Promise<void>) {
  const [isArmed, setArmed] = useState(false);
  useEffect(() => {
    if (!isArmed) return;
    const timer = setTimeout(() => setArmed(false), ESCAPE_MS);
    return () => clearTimeout(timer);
  }, [isArmed]);
  const pressEscape = (): boolean => {
    if (!isRunning) return false;
    setArmed(!isArmed);
    if (isArmed) void stop().catch(() => undefined);
    return true;
  };
  return { isEscapeArmed: isArmed && isRunning, pressEscape };
}
