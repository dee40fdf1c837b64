import type { AnswerRequest, Question, QuestionOption } from 'sandbox-agent-client';

/** What somebody has filled in so far, by the questions' ids. */
export interface QuestionDraft {
  /** Indices of the options that are chosen. */
  chosen: readonly number[];
  /** Free text: of a question without options, or in place of them. */
  text: string;
  /** The free text is the answer although there are options. */
  isOther: boolean;
}

export type QuestionDrafts = Readonly<Record<string, QuestionDraft>>;

type Answer = string | boolean | number | string[];

export const EMPTY_DRAFT: QuestionDraft = { chosen: [], text: '', isOther: false };

const YES_NO: readonly QuestionOption[] = [
  { label: 'Yes', value: true },
  { label: 'No', value: false },
];

/** What can be chosen; none: the answer is free. */
export function optionsOf(question: Question): readonly QuestionOption[] {
  const options = question.options ?? [];
  return options.length === 0 && question.answerType === 'boolean' ? YES_NO : options;
}

/** Whether words of one's own can be an answer beside the options: not where the agent wants one of its values. */
export function takesOther(question: Question): boolean {
  const options = optionsOf(question);
  const labels = options.map((option) => option.label.toLowerCase()).sort();
  if (labels.join() === 'no,yes') return false;
  return options.length > 0 && options.every((option) => option.value == null);
}

export function choose(question: Question, draft: QuestionDraft, index: number): QuestionDraft {
  if (!question.multiSelect) return { ...draft, chosen: [index], isOther: false };
  const chosen = draft.chosen.includes(index)
    ? draft.chosen.filter((one) => one !== index)
    : [...draft.chosen, index].sort((one, other) => one - other);
  return { ...draft, chosen };
}

/** Why a draft is no answer yet; null: it is one, or it may stay empty. */
export function problemOf(question: Question, draft: QuestionDraft): string | null {
  const text = draft.text.trim();
  const options = optionsOf(question);
  if (options.length > 0) {
    const isEmpty = draft.chosen.length === 0 && !(draft.isOther && text);
    if (!isEmpty) return draft.isOther && !text ? 'Write your answer, or choose one.' : null;
    return isRequired(question) ? 'Choose an answer.' : null;
  }
  if (!text) return isRequired(question) ? 'Write an answer.' : null;
  if (question.answerType === 'number' && !isNumber(text)) return 'This has to be a number.';
  if (question.answerType === 'integer' && !/^[+-]?\d+$/.test(text)) {
    return 'This has to be a whole number.';
  }
  return null;
}

/** The answer of a draft; undefined: it is left out. */
export function answerOf(question: Question, draft: QuestionDraft): Answer | undefined {
  const text = draft.text.trim();
  const options = optionsOf(question);
  if (options.length === 0) {
    if (!text) return undefined;
    const isNumeric = question.answerType === 'number' || question.answerType === 'integer';
    const typed = isNumeric ? Number(text) : text;
    return question.multiSelect && typeof typed === 'string'
      ? typed
          .split('\n')
          .map((line) => line.trim())
          .filter(Boolean)
      : typed;
  }
  const values = draft.chosen.flatMap((index) => {
    const option = options[index];
    return option ? [scalar(option.value ?? option.label)] : [];
  });
  if (draft.isOther && text) values.push(text);
  if (question.multiSelect) return values.length > 0 ? values.map(String) : undefined;
  return values.at(-1);
}

export function bodyOf(questions: readonly Question[], drafts: QuestionDrafts): AnswerRequest {
  const answers: Record<string, Answer> = {};
  for (const question of questions) {
    const answer = answerOf(question, drafts[question.id] ?? EMPTY_DRAFT);
    if (answer !== undefined) {
      // An id may be any text, `__proto__` too.
      Object.defineProperty(answers, question.id, {
        value: answer,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }
  return { answers };
}

/** The ids of questions that are not answered well yet. */
export function unanswered(questions: readonly Question[], drafts: QuestionDrafts): string[] {
  return questions
    .filter((question) => problemOf(question, draftOf(drafts, question.id)) !== null)
    .map((question) => question.id);
}

export function draftOf(drafts: QuestionDrafts, id: string): QuestionDraft {
  return Object.hasOwn(drafts, id) ? (drafts[id] ?? EMPTY_DRAFT) : EMPTY_DRAFT;
}

/** A schema says what is required; a list of questions does not, and wants an answer unless none may be one. */
function isRequired(question: Question): boolean {
  return question.required === true || (question.answerType == null && !question.multiSelect);
}

function isNumber(text: string): boolean {
  return text !== '' && Number.isFinite(Number(text));
}

function scalar(value: unknown): string | number | boolean {
  return typeof value === 'number' || typeof value === 'boolean' ? value : String(value);
}
