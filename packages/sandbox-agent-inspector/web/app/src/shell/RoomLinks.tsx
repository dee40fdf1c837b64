/** The other rooms, below the list. */
import { Blocks, Bot, Cable, Folder, Inbox, ListTree, Server, SquareTerminal } from 'lucide-react';
import { Link } from 'react-aria-components';
import { useInbox } from 'sandbox-agent-react';
import { Tip } from '../ui/index.ts';
import { paths, type Route, useRoute } from './navigation.ts';
import styles from './RoomLinks.module.css';

const LINKS = [
  { room: 'inbox', label: 'Inbox', path: paths.inbox(), icon: Inbox, shortcut: 'g i' },
  { room: 'files', label: 'Files', path: paths.files(), icon: Folder, shortcut: 'g f' },
  {
    room: 'terminals',
    label: 'Terminals',
    path: paths.terminals(),
    icon: SquareTerminal,
    shortcut: 'g t',
  },
  {
    room: 'processes',
    label: 'Processes',
    path: paths.processes(),
    icon: ListTree,
    shortcut: 'g p',
  },
  { room: 'ports', label: 'Ports', path: paths.ports(), icon: Cable, shortcut: undefined },
  { room: 'agents', label: 'Agents', path: paths.agents(), icon: Bot, shortcut: 'g a' },
  {
    room: 'config',
    label: 'MCP servers and skills',
    short: 'MCP',
    path: paths.config(),
    icon: Blocks,
    shortcut: 'g m',
  },
  {
    room: 'server',
    label: 'Server and settings',
    short: 'Server',
    path: paths.server(),
    icon: Server,
    shortcut: 'g v',
  },
] as const satisfies readonly { room: Route['room']; [key: string]: unknown }[];

export function RoomLinks() {
  const route = useRoute();
  const waiting = useInbox().length;
  return (
    <ul className={styles.links} aria-label="Rooms">
      {LINKS.map((link) => (
        <li key={link.room}>
          <RoomLink
            {...link}
            isCurrent={route.room === link.room}
            count={link.room === 'inbox' ? waiting : 0}
          />
        </li>
      ))}
    </ul>
  );
}

interface RoomLinkProps {
  label: string;
  /** Where there is little room. */
  short?: string;
  path: string;
  icon: typeof Inbox;
  shortcut?: string;
  isCurrent: boolean;
  count: number;
}

function RoomLink({
  label,
  short = label,
  path,
  icon: Icon,
  shortcut,
  isCurrent,
  count,
}: RoomLinkProps) {
  return (
    <Tip text={label} shortcut={shortcut}>
      <Link
        className={styles.link}
        href={path}
        aria-label={count > 0 ? `${label} ${count} waiting` : label}
        aria-current={isCurrent ? 'page' : undefined}
      >
        <Icon size={18} aria-hidden />
        <span className={styles.word}>{short}</span>{' '}
        {count > 0 ? <span className={styles.count}>{count}</span> : null}
      </Link>
    </Tip>
  );
}
