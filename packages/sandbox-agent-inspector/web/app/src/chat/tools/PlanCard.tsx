/** The plan of a turn, as a list of what is done and what is not. */
import { ListChecks } from 'lucide-react';
import { useMemo } from 'react';
import type { PlanItem } from 'sandbox-agent-client';
import type { Todo } from 'sandbox-agent-react';
import { Checklist } from './Checklist.tsx';
import styles from './plan.module.css';

export function PlanCard({ item }: { item: PlanItem }) {
  const todos = useMemo(() => todosOf(item), [item]);
  const done = todos.filter(({ status }) => status === 'completed').length;
  if (todos.length === 0) return null;
  return (
    <section className={styles.card} aria-label={`Plan, ${done} of ${todos.length} done`}>
      <header className={styles.header}>
        <ListChecks aria-hidden />
        <span className={styles.title}>Plan</span>
        <span className={styles.count}>
          {done} of {todos.length}
        </span>
        <progress className={styles.progress} value={done} max={todos.length}>
          {done} of {todos.length}
        </progress>
      </header>
      <Checklist todos={todos} />
    </section>
  );
}

function todosOf(item: PlanItem): Todo[] {
  return (item.entries ?? []).map(({ content, status = 'pending', priority = null }) => ({
    text: content,
    status,
    priority,
  }));
}
