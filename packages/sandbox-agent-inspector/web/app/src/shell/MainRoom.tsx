/** What the middle of the page shows for an address. */
import { Compass } from 'lucide-react';
import { Home } from '../sessions/Home.tsx';
import { Button, EmptyState } from '../ui/index.ts';
import styles from './MainRoom.module.css';
import { navigate, paths, type Route } from './navigation.ts';
import * as rooms from './rooms.tsx';

/** Relative to the server's own directory. */
const HERE = '.';

interface MainRoomProps {
  route: Route;
  lastSession: string | null;
}

export function MainRoom({ route, lastSession }: MainRoomProps) {
  const { Room } = rooms;
  switch (route.room) {
    case 'session':
      return (
        <Room name="The conversation" resetKey={route.id}>
          <rooms.ChatView key={route.id} sessionId={route.id} />
        </Room>
      );
    case 'new':
      return lastSession === null ? (
        <Home />
      ) : (
        <Room name="The conversation" resetKey={lastSession}>
          <rooms.ChatView key={lastSession} sessionId={lastSession} />
        </Room>
      );
    case 'sessions':
      return <Home />;
    case 'inbox':
      return (
        <Page name="The inbox">
          <rooms.Inbox />
        </Page>
      );
    case 'files':
      return (
        <Page name="The files">
          <rooms.FilesView directory={HERE} />
        </Page>
      );
    case 'terminals':
      return (
        <Page name="The terminals">
          <rooms.TerminalsView directory={HERE} />
        </Page>
      );
    case 'processes':
      return (
        <Page name="The processes">
          <rooms.ProcessesView />
        </Page>
      );
    case 'ports':
      return (
        <Page name="The ports">
          <rooms.PortsView />
        </Page>
      );
    case 'agents':
      return (
        <Page name="The agents">
          <rooms.AgentsPage />
        </Page>
      );
    case 'config':
      return (
        <Page name="MCP servers and skills">
          <rooms.ConfigPage />
        </Page>
      );
    case 'server':
      return (
        <Page name="The server's page">
          <rooms.ServerPage />
        </Page>
      );
    case 'missing':
      return (
        <EmptyState
          icon={<Compass />}
          title="There is nothing at this address"
          actions={<Button onPress={() => navigate(paths.sessions())}>Show the sessions</Button>}
        >
          <p>The link may be from another version, or cut off at its end.</p>
        </EmptyState>
      );
  }
}

function Page({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className={styles.page}>
      <rooms.Room name={name}>{children}</rooms.Room>
    </div>
  );
}
