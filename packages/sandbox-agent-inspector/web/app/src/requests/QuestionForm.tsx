import { useId, useRef } from 'react';
import type { Question } from 'sandbox-agent-client';
import {
  foreign,
  foreignCode,
  linkTarget,
  optionsOf,
  type QuestionFormHandle,
  takesOther,
  useQuestionForm,
  useRequestCard,
} from 'sandbox-agent-react';
import { Banner, Button, Foreign, TextField } from '../ui/index.ts';
import actions from './Actions.module.css';
import styles from './Questions.module.css';

/** The questions of an agent; nothing is chosen before somebody chooses. */
export function QuestionForm() {
  const { request, state } = useRequestCard();
  const form = useQuestionForm();
  const ref = useRef<HTMLFormElement>(null);
  const { questions, message, url } = request;
  const isRepeated = questions.length === 1 && questions[0]?.question === message;

  const submit = () => {
    const missing = form.submit();
    if (missing === null) return;
    const fields = [...(ref.current?.querySelectorAll<HTMLElement>('[data-question]') ?? [])];
    const field = fields.find((one) => one.dataset.question === missing);
    field?.querySelector<HTMLElement>('input, textarea')?.focus();
  };

  return (
    <form
      ref={ref}
      className={styles.form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {message && !isRepeated && <p className={styles.message}>{foreignCode(message)}</p>}
      {url && <PageLink url={url} />}
      {questions.map((question) => (
        <QuestionField key={question.id} question={question} form={form} />
      ))}
      {state.phase === 'failed' && (
        <Banner tone="err" title="The server did not take the answer.">
          {foreign(state.problem.message)}
        </Banner>
      )}
      <div className={`${actions.buttons} ${styles.buttons}`}>
        <Button className={actions.deny} onPress={() => form.decline()}>
          Decline
        </Button>
        <span className={actions.gap} />
        <Button look="primary" type="submit" className={actions.allow}>
          {questions.length === 0 ? 'Done' : 'Answer'}
        </Button>
      </div>
    </form>
  );
}

function PageLink({ url }: { url: string }) {
  const safe = linkTarget(url);
  if (safe?.kind !== 'web') {
    return (
      <p className={styles.message}>
        <Foreign text={url} maxChars={300} />
      </p>
    );
  }
  return (
    <p className={styles.message}>
      <a href={safe.href} target="_blank" rel="noopener noreferrer">
        Open {safe.host}
      </a>{' '}
      <Foreign text={safe.href} maxChars={120} className={styles.address} />
    </p>
  );
}

function QuestionField({ question, form }: { question: Question; form: QuestionFormHandle }) {
  const id = useId();
  const draft = form.draft(question.id);
  const problem = form.problem(question);
  const options = optionsOf(question);
  const type = question.multiSelect ? 'checkbox' : 'radio';
  const isNumber = question.answerType === 'number' || question.answerType === 'integer';
  return (
    <fieldset
      className={styles.question}
      data-question={question.id}
      aria-describedby={problem ? `${id}-problem` : undefined}
      data-invalid={problem ? true : undefined}
    >
      <legend className={styles.legend}>
        {question.header && question.header !== question.question && (
          <span className={styles.header}>{foreign(question.header)}</span>
        )}
        {foreignCode(question.question)}
        {question.multiSelect && <span className={styles.hint}> (any number)</span>}
      </legend>
      {options.map((option, index) => (
        <label key={option.label} className={styles.option}>
          <input
            type={type}
            name={id}
            checked={draft.chosen.includes(index)}
            onChange={() => form.choose(question, index)}
          />
          <span>
            <Foreign text={option.label} maxChars={200} />
            {option.description && <small>{foreignCode(option.description)}</small>}
          </span>
        </label>
      ))}
      {takesOther(question) && (
        <label className={styles.option}>
          <input
            type={type}
            name={id}
            checked={draft.isOther}
            onChange={(event) => form.setOther(question, event.target.checked)}
          />
          <span>Something else</span>
        </label>
      )}
      {(options.length === 0 || draft.isOther) && (
        <TextField
          label={foreign(question.header ?? question.question)}
          hideLabel
          value={draft.text}
          onChange={(text) => form.setText(question, text)}
          rows={isNumber || options.length > 0 ? undefined : 2}
          placeholder={isNumber ? 'A number' : 'Your answer'}
          error={problem}
        />
      )}
      {problem && options.length > 0 && !draft.isOther && (
        <p id={`${id}-problem`} className={styles.problem}>
          {problem}
        </p>
      )}
    </fieldset>
  );
}
