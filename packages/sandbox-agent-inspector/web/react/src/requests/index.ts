export { type AnswerState, AnswerStore, answersOf } from './answers.ts';
export {
  type AnswerAbilities,
  type Choice,
  type Choices,
  choicesOf,
  outlivesSession,
  readAbilities,
  refusal,
  withContext,
  withInput,
} from './choices.ts';
export { AnswerGuard, GUARD_MS } from './guard.ts';
export {
  fromInfo,
  fromItem,
  fromResolution,
  type RequestKind,
  type RequestModel,
  type RequestOption,
  type RequestOutcome,
  type RequestTool,
} from './model.ts';
export {
  type CardState,
  ChoiceButton,
  Deadline,
  Outcome,
  PermissionCard,
  type RequestCardHandle,
  RequestCardRoot,
  stateOf,
  useRequestCard,
} from './PermissionCard.tsx';
export { QuestionCard, type QuestionFormHandle, useQuestionForm } from './QuestionCard.tsx';
export { optionsOf, type QuestionDraft, takesOther } from './questionForm.ts';
export {
  ago,
  commandField,
  editedInput,
  isBookkeeping,
  isInside,
  otherInput,
  whyAsked,
} from './subject.ts';
export { useAnswerGuard } from './useAnswerGuard.ts';
export { useDeadline } from './useDeadline.ts';
export {
  type RequestHandle,
  type RequestOptions,
  usePermission,
  useRequestModel,
} from './useRequest.ts';
export {
  asksTo,
  defaultWords,
  type OutcomeTone,
  type OutcomeWords,
  outcomeWords,
  remaining,
  requestLine,
} from './wording.ts';
