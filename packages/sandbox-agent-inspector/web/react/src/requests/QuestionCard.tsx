import { useCallback, useId, useMemo, useState } from 'react';
import type { Question } from 'sandbox-agent-client';
import { foreign, foreignCode } from '../foreign.ts';
import { Deadline, Outcome, RequestCardRoot, useRequestCard } from './PermissionCard.tsx';
import {
  bodyOf,
  choose,
  draftOf,
  optionsOf,
  problemOf,
  type QuestionDraft,
  type QuestionDrafts,
  takesOther,
  unanswered,
} from './questionForm.ts';
import { type RequestOptions, usePermission } from './useRequest.ts';
import { asksTo } from './wording.ts';

export interface QuestionFormHandle {
  questions: readonly Question[];
  draft(id: string): QuestionDraft;
  /** Told only after somebody has tried to send. */
  problem(question: Question): string | null;
  choose(question: Question, index: number): void;
  setText(question: Question, text: string): void;
  setOther(question: Question, isOther: boolean): void;
  isComplete: boolean;
  /** Sends, or says what is missing: the id of the first such question. */
  submit(): string | null;
  decline(): void;
}

// What somebody has filled in outlives the card: it may scroll away, or be shown in another place.
const kept = new Map<string, QuestionDrafts>();

/** The form of the question card around it. */
export function useQuestionForm(): QuestionFormHandle {
  const { request, press } = useRequestCard();
  const key = `${request.sessionId}\n${request.id}`;
  const [drafts, setDrafts] = useState<QuestionDrafts>(() => kept.get(key) ?? {});
  const [isTried, setTried] = useState(false);
  const { questions } = request;

  const change = useCallback(
    (id: string, draft: (before: QuestionDraft) => QuestionDraft) =>
      setDrafts((before) => {
        const after = new Map(Object.entries(before));
        after.set(id, draft(draftOf(before, id)));
        const next = Object.fromEntries(after);
        kept.set(key, next);
        return next;
      }),
    [key],
  );

  return useMemo(() => {
    const missing = unanswered(questions, drafts);
    return {
      questions,
      draft: (id) => draftOf(drafts, id),
      problem: (question) => (isTried ? problemOf(question, draftOf(drafts, question.id)) : null),
      choose: (question, index) => change(question.id, (draft) => choose(question, draft, index)),
      setText: (question, text) => change(question.id, (draft) => ({ ...draft, text })),
      setOther: (question, isOther) =>
        change(question.id, (draft) => ({
          ...draft,
          isOther,
          chosen: isOther && !question.multiSelect ? [] : draft.chosen,
        })),
      isComplete: missing.length === 0,
      submit: () => {
        const [first] = missing;
        if (first !== undefined) {
          setTried(true);
          return first;
        }
        if (press(bodyOf(questions, drafts))) kept.delete(key);
        return null;
      },
      decline: () => {
        if (press({ decline: true })) kept.delete(key);
      },
    };
  }, [questions, drafts, isTried, change, press, key]);
}

/** Questions of an agent, with their form, in plain markup. */
export function QuestionCard({
  sessionId,
  requestId,
  actor,
  agent = 'The agent',
  className,
}: {
  sessionId: string;
  requestId: string;
  agent?: string;
  className?: string;
} & RequestOptions) {
  const handle = usePermission(sessionId, requestId, { actor });
  if (!handle) return null;
  return (
    <RequestCardRoot handle={handle} className={className}>
      <PlainQuestions agent={agent} />
    </RequestCardRoot>
  );
}

function PlainQuestions({ agent }: { agent: string }) {
  const { request, titleId, cardState } = useRequestCard();
  const form = useQuestionForm();
  const isOpen = cardState === 'pending' || cardState === 'failed';
  return (
    <>
      <h3 id={titleId}>
        {foreign(agent)} {asksTo(request)}
      </h3>
      {request.message && <p>{foreignCode(request.message)}</p>}
      {isOpen ? (
        <form
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            form.submit();
          }}
        >
          <Deadline />
          {form.questions.map((question) => (
            <PlainQuestion key={question.id} question={question} form={form} />
          ))}
          <button type="button" onClick={() => form.decline()}>
            Decline
          </button>
          <button type="submit">Answer</button>
        </form>
      ) : (
        <Outcome />
      )}
    </>
  );
}

function PlainQuestion({ question, form }: { question: Question; form: QuestionFormHandle }) {
  const id = useId();
  const draft = form.draft(question.id);
  const problem = form.problem(question);
  const options = optionsOf(question);
  const isFree = options.length === 0;
  return (
    <fieldset aria-describedby={problem ? `${id}-problem` : undefined}>
      <legend>{foreignCode(question.question)}</legend>
      {options.map((option, index) => (
        <label key={option.label}>
          <input
            type={question.multiSelect ? 'checkbox' : 'radio'}
            name={id}
            checked={draft.chosen.includes(index)}
            onChange={() => form.choose(question, index)}
          />
          {foreign(option.label)}
        </label>
      ))}
      {takesOther(question) && (
        <label>
          <input
            type={question.multiSelect ? 'checkbox' : 'radio'}
            name={id}
            checked={draft.isOther}
            onChange={(event) => form.setOther(question, event.target.checked)}
          />
          Something else
        </label>
      )}
      {(isFree || draft.isOther) && (
        <input
          aria-label={foreign(question.header ?? question.question)}
          value={draft.text}
          onChange={(event) => form.setText(question, event.target.value)}
        />
      )}
      {problem && <p id={`${id}-problem`}>{problem}</p>}
    </fieldset>
  );
}
