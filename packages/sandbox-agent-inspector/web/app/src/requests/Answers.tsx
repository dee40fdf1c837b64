import { foreign, foreignCode, useRequestCard } from 'sandbox-agent-react';
import styles from './Card.module.css';

/** What was asked, and what was answered. */
export function Answers() {
  const { request } = useRequestCard();
  const answers = request.outcome?.answers ?? {};
  return (
    <dl className={styles.facts}>
      {request.questions.map((question) => (
        <div key={question.id}>
          <dt>{foreignCode(question.question)}</dt>
          <dd>{answerWords(Object.hasOwn(answers, question.id) ? answers[question.id] : null)}</dd>
        </div>
      ))}
    </dl>
  );
}

function answerWords(answer: unknown): string {
  if (answer === null || answer === undefined || answer === '') return '—';
  if (answer === true) return 'Yes';
  if (answer === false) return 'No';
  return foreign(Array.isArray(answer) ? answer.join(', ') || '—' : String(answer));
}
