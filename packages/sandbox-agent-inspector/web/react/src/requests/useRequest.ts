import { useCallback, useEffect, useMemo, useSyncExternalStore } from 'react';
import type { AnswerRequest, RequestItem, ToolItem, Transcript } from 'sandbox-agent-client';
import {
  useClient,
  useConnection,
  useInbox,
  useSessionSelector,
  useSessions,
} from '../server/hooks.ts';
import { type AnswerState, answersOf, IDLE } from './answers.ts';
import { type AnswerAbilities, type Choices, choicesOf, readAbilities } from './choices.ts';
import { fromInfo, fromItem, type RequestModel } from './model.ts';

export interface RequestHandle {
  request: RequestModel;
  state: AnswerState;
  choices: Choices;
  takes: AnswerAbilities;
  /** Once; a second answer while the first is under way does nothing. */
  answer(body: AnswerRequest): Promise<AnswerState>;
  /** Take back what waits for the connection and has never been sent. */
  withdraw(): void;
}

export interface RequestOptions {
  /** Who answers: recorded, and shown to others. */
  actor?: string;
}

/**
 * A request of a session, from its conversation or, while that is not loaded, from the inbox. null: there is no such
 * request, or not yet.
 */
export function usePermission(
  sessionId: string,
  requestId: string,
  options: RequestOptions = {},
): RequestHandle | null {
  const turns = useSessionSelector(sessionId, turnsOf);
  const requests = useInbox();
  const found = useMemo(() => {
    const item = findItem(turns, requestId);
    const info = requests.find((one) => one.id === requestId && one.sessionId === sessionId);
    if (item) {
      const model = fromItem(sessionId, item.item, item.tool);
      // Only the inbox tells that a permission is a hook's.
      return info?.hook ? { ...model, hook: info.hook } : model;
    }
    return info ? fromInfo(sessionId, info) : null;
  }, [turns, requests, sessionId, requestId]);
  return useHandle(found, options);
}

/** The same for a request that is at hand, without reading the conversation of its session. */
export function useRequestModel(
  request: RequestModel,
  options: RequestOptions = {},
): RequestHandle {
  const handle = useHandle(request, options);
  return handle ?? missing(request);
}

function useHandle(found: RequestModel | null, { actor }: RequestOptions): RequestHandle | null {
  const client = useClient();
  const { state: connection } = useConnection();
  const sessions = useSessions();
  const answers = answersOf(client);
  const sessionId = found?.sessionId ?? '';
  const requestId = found?.id ?? '';
  const read = () => answers.state(sessionId, requestId);
  const state = useSyncExternalStore(answers.subscribe, read, () => IDLE);
  const isConnected = connection === 'live' || connection === 'connecting';
  useEffect(() => answers.setConnected(isConnected), [answers, isConnected]);
  const answer = useCallback(
    (body: AnswerRequest) =>
      answers.answer(sessionId, requestId, {
        ...body,
        ...(actor?.trim() && { actor: actor.trim() }),
      }),
    [answers, sessionId, requestId, actor],
  );
  const withdraw = useCallback(
    () => answers.withdraw(sessionId, requestId),
    [answers, sessionId, requestId],
  );
  const capabilities = sessions.find((one) => one.id === sessionId)?.capabilities;
  return useMemo(() => {
    if (!found) return null;
    const told = state.phase === 'resolved' && !found.outcome ? state.outcome : found.outcome;
    const request = { ...found, outcome: told };
    const takes = readAbilities(capabilities);
    return { request, state, choices: choicesOf(request), takes, answer, withdraw };
  }, [found, state, capabilities, answer, withdraw]);
}

function missing(request: RequestModel): RequestHandle {
  return {
    request,
    state: IDLE,
    choices: choicesOf(request),
    takes: readAbilities(null),
    answer: async () => IDLE,
    withdraw: () => undefined,
  };
}

type Turns = NonNullable<Transcript['turns']>;
const NO_TURNS: Turns = [];

function turnsOf({ transcript }: { transcript: Transcript }): Turns {
  return transcript.turns ?? NO_TURNS;
}

function findItem(turns: Turns, requestId: string): { item: RequestItem; tool?: ToolItem } | null {
  for (const turn of turns.toReversed()) {
    const items = turn.items ?? [];
    const item = items.find((one) => isRequest(one) && one.requestId === requestId);
    if (item && isRequest(item)) {
      const callId = 'toolCall' in item ? item.toolCall?.toolCallId : undefined;
      const tool = items.find((one) => isTool(one) && one.toolCallId === callId);
      return { item, ...(tool && isTool(tool) && { tool }) };
    }
  }
  return null;
}

const REQUEST_TYPES = ['permission', 'question', 'hook', 'host_tool'];

function isRequest(item: { type: string }): item is RequestItem {
  return REQUEST_TYPES.includes(item.type);
}

function isTool(item: { type: string }): item is ToolItem {
  return item.type === 'tool';
}
