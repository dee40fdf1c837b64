/** The middle of the page before a session is open. */
import { Plus, Terminal } from 'lucide-react';
import { useState } from 'react';
import { useClient, useInbox, useServer } from 'sandbox-agent-react';
import { navigate, paths } from '../shell/navigation.ts';
import { Inbox, Room } from '../shell/rooms.tsx';
import { Button, Intro, Kbd, Skeleton } from '../ui/index.ts';
import { CodeSamples } from './CodeSamples.tsx';
import styles from './Home.module.css';
import { samplesOf } from './samples.ts';

const FIRST = {
  clone: null,
  skills: [],
  body: { agent: 'claude' },
  prompt: 'Fix the failing test',
};

export function Home() {
  const { sessions, sessionsComplete } = useServer();
  const waiting = useInbox().length;
  // Once it stands there it stays: the last answer must not take the page away from whoever gave it.
  const [showsInbox, setShowsInbox] = useState(false);
  if (waiting > 0 && !showsInbox) {
    setShowsInbox(true);
  }
  if (showsInbox) {
    return (
      <Room name="The inbox">
        <Inbox />
      </Room>
    );
  }
  if (sessions.length === 0 && !sessionsComplete) {
    return (
      <div className={styles.page}>
        <div className={styles.column}>
          <Skeleton lines={[40, 70, 60]} />
        </div>
      </div>
    );
  }
  return sessions.length === 0 ? <FirstSteps /> : <Choose />;
}

function Choose() {
  return (
    <div className={styles.page}>
      <div className={styles.column} data-small>
        <Intro title="Choose a session, or start one" />
        <NewSessionButton />
        <dl className={styles.keys}>
          <div>
            <dt>
              <Kbd keys="Ctrl K" />
            </dt>
            <dd>Find a session or a command</dd>
          </div>
          <div>
            <dt>
              <Kbd keys="n" />
            </dt>
            <dd>Start a session</dd>
          </div>
          <div>
            <dt>
              <Kbd keys="?" />
            </dt>
            <dd>All keys</dd>
          </div>
        </dl>
      </div>
    </div>
  );
}

function FirstSteps() {
  const client = useClient();
  return (
    <div className={styles.page}>
      <div className={styles.column}>
        <Intro icon={<Terminal />} title="No sessions yet">
          A session is one agent at work in one folder. Start it here, or from code; either way you
          see it and steer it here.
        </Intro>
        <NewSessionButton />
        <CodeSamples samples={samplesOf(client.url, FIRST)} />
      </div>
    </div>
  );
}

function NewSessionButton() {
  return (
    <Button
      look="primary"
      size="large"
      className={styles.create ?? ''}
      icon={<Plus size={18} aria-hidden />}
      onPress={() => navigate(paths.newSession())}
    >
      New session
    </Button>
  );
}
