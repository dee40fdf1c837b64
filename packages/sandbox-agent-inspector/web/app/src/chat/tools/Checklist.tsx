import { Check, CircleDashed, CircleDot, CircleSlash } from 'lucide-react';
import { foreign, type Todo, type TodoStatus } from 'sandbox-agent-react';
import styles from './checklist.module.css';

const ICONS = {
  completed: Check,
  in_progress: CircleDot,
  pending: CircleDashed,
  cancelled: CircleSlash,
} as const;

const WORDS: Readonly<Record<TodoStatus, string>> = {
  completed: 'done',
  in_progress: 'now',
  pending: 'to do',
  cancelled: 'dropped',
};

export function Checklist({ todos }: { todos: readonly Todo[] }) {
  return (
    <ul className={styles.list}>
      {todos.map(({ text, status, priority }, index) => {
        const Icon = ICONS[status];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: steps have nothing but their place
          <li key={index} className={styles.step} data-status={status}>
            <Icon aria-hidden />
            <span className="visually-hidden">{WORDS[status]}: </span>
            <span className={styles.text}>{foreign(text.slice(0, 2000))}</span>
            {priority === 'high' && <span className={styles.priority}>high</span>}
          </li>
        );
      })}
    </ul>
  );
}
