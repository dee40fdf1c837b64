/** The bar at the bottom of a phone: the four places that one goes between. */
import { Activity, Folder, List, MessageSquare } from 'lucide-react';
import { Link } from 'react-aria-components';
import { useInbox } from 'sandbox-agent-react';
import { paths, type Route } from './navigation.ts';
import styles from './PhoneBar.module.css';

type Place = 'sessions' | 'chat' | 'activity' | 'files';

function placeOf(route: Route): Place | null {
  if (route.room === 'sessions') {
    return 'sessions';
  }
  if (route.room === 'files') {
    return 'files';
  }
  if (route.room !== 'session') {
    return null;
  }
  if (route.at.kind === 'activity') {
    return 'activity';
  }
  return route.at.kind === 'files' || route.at.kind === 'diff' ? 'files' : 'chat';
}

export function PhoneBar({ route, lastSession }: { route: Route; lastSession: string | null }) {
  const waiting = useInbox().length;
  const current = placeOf(route);
  const places = [
    { id: 'sessions', label: 'Sessions', icon: List, path: paths.sessions() },
    {
      id: 'chat',
      label: 'Chat',
      icon: MessageSquare,
      path: lastSession && paths.session(lastSession),
    },
    {
      id: 'activity',
      label: 'Activity',
      icon: Activity,
      path: lastSession && paths.activity(lastSession),
    },
    {
      id: 'files',
      label: 'Files',
      icon: Folder,
      path: lastSession ? paths.sessionFiles(lastSession) : paths.files(),
    },
  ] as const;
  return (
    <nav className={styles.bar} aria-label="Places" data-region="places" tabIndex={-1}>
      {places.map(({ id, label, icon: Icon, path }) => {
        const count = id === 'sessions' ? waiting : 0;
        const content = (
          <>
            <span className={styles.icon}>
              <Icon size={20} aria-hidden />
              {count > 0 ? (
                <span className={styles.count}>
                  {count}
                  <span className="visually-hidden"> waiting</span>
                </span>
              ) : null}
            </span>
            {label}
          </>
        );
        return path ? (
          <Link
            key={id}
            href={path}
            className={styles.place}
            aria-current={current === id ? 'page' : undefined}
          >
            {content}
          </Link>
        ) : (
          <Link key={id} className={styles.place} isDisabled>
            {content}
          </Link>
        );
      })}
    </nav>
  );
}
