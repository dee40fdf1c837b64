/** What goes on in the background after its turn is over: out of sight it would be forgotten. */
import { useSession, useSessionSelector } from 'sandbox-agent-react';
import styles from './ChatView.module.css';
import { TaskCard } from './tools/index.ts';

export function RunningTasks({ sessionId }: { sessionId: string }) {
  const isOver = useSessionSelector(sessionId, ({ info }) => info?.status === 'ended');
  const hasAny = useSessionSelector(sessionId, ({ transcript }) =>
    transcript.tasks.some((task) => !task.status),
  );
  return hasAny && !isOver ? <Tasks sessionId={sessionId} /> : null;
}

function Tasks({ sessionId }: { sessionId: string }) {
  const { tasks, turns } = useSession(sessionId).transcript;
  const running = tasks.filter((task) => {
    if (task.status) return false;
    const turn = turns.findLast(({ id }) => id && id === task.turnId);
    return !turn || Boolean(turn.endedAt);
  });
  if (running.length === 0) return null;
  return (
    <section className={styles.tasks} aria-label="In the background">
      {running.map((task) => (
        <TaskCard key={task.id} task={task} sessionId={sessionId} />
      ))}
    </section>
  );
}
