/** All sessions: what waits for a person on top, and an order that holds still while one is in it. */
import { ArrowUp, ListFilter, Plus } from 'lucide-react';
import { memo, useMemo, useRef, useState } from 'react';
import { useClient, useInbox, useServerSelector, useSessions } from 'sandbox-agent-react';
import { navigate, paths, useRoute } from '../shell/navigation.ts';
import { useShortcut } from '../shell/shortcuts.ts';
import { Button, EmptyState, IconButton, Kbd, Menu, SearchField, Skeleton } from '../ui/index.ts';
import { groupSessions, requestsBySession } from './grouping.ts';
import { STATUS_WORDS } from './naming.ts';
import styles from './SessionList.module.css';
import { SessionRows } from './SessionRows.tsx';
import { parseQuery, toggleFilter } from './search.ts';
import { placesOf, useSteadyOrder } from './steady-order.ts';
import { useUnread } from './unread.ts';
import { useFoundSessions } from './use-found-sessions.ts';
import { useNow } from './use-now.ts';

export function SessionList() {
  const all = useSessions();
  const sessionsComplete = useServerSelector((server) => server.sessionsComplete);
  const isOffline = useServerSelector(({ connection }) => connection.state === 'offline');
  const inbox = useInbox();
  const client = useClient();
  const route = useRoute();
  const openId = route.room === 'session' ? route.id : null;
  const [text, setText] = useState('');
  const [isHeld, setHeld] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const now = useNow(30_000);
  const { sessions, isSearching } = useFoundSessions(text);
  const unread = useUnread(client.url, all, openId);
  const waiting = useMemo(() => requestsBySession(inbox), [inbox]);
  const groups = useMemo(() => groupSessions(sessions, waiting, now), [sessions, waiting, now]);
  const wanted = useMemo(() => placesOf(groups), [groups]);
  const { places, moved, release } = useSteadyOrder(wanted, isHeld, text);

  useShortcut('/', () => search.current?.focus(), {
    label: 'Search sessions',
  });

  const agents = [...new Set(all.map(({ agent }) => agent))].toSorted().join(' ');
  const isLoading = all.length === 0 && !sessionsComplete && !isOffline;
  return (
    <div className={styles.column}>
      <div className={styles.tools}>
        <SearchField
          label="Search sessions"
          value={text}
          onChange={setText}
          shortcut={<Kbd keys="/" />}
          inputRef={search}
          onKeyDown={(event) => {
            if (event.key === 'ArrowDown') {
              event.preventDefault();
              list.current?.querySelector<HTMLElement>('a[tabindex="0"]')?.focus();
            }
          }}
          className={styles.search ?? ''}
        />
        <Filters text={text} onChange={setText} agents={agents} />
      </div>
      <NewSessionButton />
      {moved > 0 ? (
        <div className={styles.moved}>
          <button type="button" onClick={release}>
            {moved} moved <ArrowUp size={14} aria-hidden />
          </button>
        </div>
      ) : null}
      {places.length > 0 ? (
        <SessionRows
          ref={list}
          places={places}
          sessions={sessions}
          waiting={waiting}
          unread={unread}
          openId={openId}
          now={now}
          onHold={setHeld}
        />
      ) : isLoading ? (
        <div className={styles.loading}>
          <Skeleton lines={[60, 85, 0, 70, 50, 0, 65, 80]} />
        </div>
      ) : (
        <Nothing text={text} isSearching={isSearching} onClear={() => setText('')} />
      )}
      {places.length > 0 && !sessionsComplete ? (
        <p className={styles.more}>Loading older sessions…</p>
      ) : null}
    </div>
  );
}

const NewSessionButton = memo(function NewSessionButton() {
  return (
    <Button
      className={styles.create ?? ''}
      icon={<Plus size={16} aria-hidden />}
      shortcut={<Kbd keys="n" />}
      onPress={() => navigate(paths.newSession())}
    >
      New session
    </Button>
  );
});

interface NothingProps {
  text: string;
  isSearching: boolean;
  onClear(): void;
}

function Nothing({ text, isSearching, onClear }: NothingProps) {
  if (isSearching) {
    return <p className={styles.more}>Searching…</p>;
  }
  if (text.trim() !== '') {
    return (
      <EmptyState
        title="Nothing found"
        actions={<Button onPress={onClear}>Clear the search</Button>}
      >
        <p>Words are looked for in titles, prompts, folders, agents and ids.</p>
      </EmptyState>
    );
  }
  return (
    <EmptyState title="No sessions yet">
      <p>What agents do on this server appears here, whoever starts them.</p>
    </EmptyState>
  );
}

interface FiltersProps {
  text: string;
  onChange(text: string): void;
  /** Their names, in order, with a space between them: the same text while they are the same. */
  agents: string;
}

const Filters = memo(function Filters({ text, onChange, agents }: FiltersProps) {
  const query = parseQuery(text);
  const mark = (isChosen: boolean) => (isChosen ? '✓' : '');
  const isFiltered = query.agents.length + query.statuses.length + query.metadata.length > 0;
  return (
    <Menu
      label="Filters"
      placement="bottom end"
      trigger={
        <IconButton label={isFiltered ? 'Filters, some are on' : 'Filters'}>
          <ListFilter size={18} color={isFiltered ? 'var(--accent)' : undefined} />
        </IconButton>
      }
      groups={[
        {
          id: 'status',
          title: 'Status',
          entries: Object.entries(STATUS_WORDS).map(([id, label]) => ({
            id: `status ${id}`,
            label: label.split(':')[0] ?? label,
            icon: mark(query.statuses.includes(id)),
          })),
        },
        {
          id: 'agent',
          title: 'Agent',
          entries: agents.split(' ').map((agent) => ({
            id: `agent ${agent}`,
            label: agent,
            icon: mark(query.agents.includes(agent.toLowerCase())),
          })),
        },
        {
          id: 'metadata',
          title: 'Metadata: type key:value in the search',
          entries: isFiltered ? [{ id: 'clear', label: 'Clear the filters' }] : [],
        },
      ]}
      onAction={(id) => {
        const [name, value] = id.split(' ');
        if (id === 'clear') {
          onChange(query.words.join(' '));
        } else if ((name === 'agent' || name === 'status') && value) {
          onChange(toggleFilter(text, name, value));
        }
      }}
    />
  );
});
