/** What goes on in the background after its turn is over: out of sight it would be forgotten. */
import type { SessionSnapshot } from 'sandbox-agent-client';
import styles from './ChatView.module.css';
import { TaskCard } from './tools/index.ts';

export function RunningTasks({ snapshot }: { snapshot: SessionSnapshot }) {
  const { tasks, turns } = snapshot.transcript;
  const running = tasks.filter((task) => {
    if (task.status) return false;
    const turn = turns.find(({ id }) => id && id === task.turnId);
    return !turn || Boolean(turn.endedAt);
  });
  if (running.length === 0 || snapshot.info?.status === 'ended') return null;
  return (
    <section className={styles.tasks} aria-label="In the background">
      {running.map((task) => (
        <TaskCard key={task.id} task={task} sessionId={snapshot.id} />
      ))}
    </section>
  );
}
