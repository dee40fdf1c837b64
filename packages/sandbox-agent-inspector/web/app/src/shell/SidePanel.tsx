/** Beside the conversation: its events, the files, what was changed, terminals, processes, ports. */
import { X } from 'lucide-react';
import { type ReactNode, useEffect } from 'react';
import { useSessionSelector } from 'sandbox-agent-react';
import { IconButton, Tabs } from '../ui/index.ts';
import { navigate, paths, type Route, type SessionPlace } from './navigation.ts';
import { type PanelTab, usePreferences } from './preferences.ts';
import * as rooms from './rooms.tsx';
import styles from './SidePanel.module.css';

/** The tab that a link asks for. */
function tabOf(place: SessionPlace): PanelTab | null {
  switch (place.kind) {
    case 'event':
      return 'events';
    case 'files':
      return 'files';
    case 'diff':
      return 'changes';
    default:
      return null;
  }
}

/** Tabs that have an address of their own, so that Back and a reload find them. */
function pathOf(sessionId: string, tab: PanelTab, isPage: boolean): string {
  if (tab === 'files') {
    return paths.sessionFiles(sessionId);
  }
  if (tab === 'changes') {
    return paths.diff(sessionId);
  }
  return isPage ? paths.activity(sessionId) : paths.session(sessionId);
}

interface SidePanelProps {
  sessionId: string;
  route: Route;
  /** It is the whole page, on a screen that shows one thing at a time. */
  isPage?: boolean;
}

export function SidePanel({ sessionId, route, isPage = false }: SidePanelProps) {
  const { panelTab, set } = usePreferences();
  const cwd = useSessionSelector(sessionId, (snapshot) => snapshot.info?.cwd ?? null);
  const place: SessionPlace = route.room === 'session' ? route.at : { kind: 'end' };
  const asked = tabOf(place);
  const turnId = place.kind === 'diff' ? place.turnId : null;
  useEffect(() => {
    if (asked) {
      set({ panelTab: asked });
    }
  }, [asked, set]);

  // Files and changes have addresses: at another address the tab before them is meant.
  const selected =
    asked ?? (isPage && ['files', 'changes'].includes(panelTab) ? 'events' : panelTab);
  const inDirectory = (content: (directory: string) => ReactNode) =>
    cwd === null ? null : content(cwd);
  const room = (name: string, content: ReactNode) => (
    <rooms.Room name={name} resetKey={sessionId}>
      <div className={styles.content}>{content}</div>
    </rooms.Room>
  );
  const tabs = [
    {
      id: 'events',
      label: 'Events',
      content: room(
        'The timeline',
        <rooms.Timeline
          key={sessionId}
          sessionId={sessionId}
          seq={place.kind === 'event' ? place.seq : null}
        />,
      ),
    },
    {
      id: 'files',
      label: 'Files',
      content: room(
        'The files',
        inDirectory((directory) => <rooms.FilesView directory={directory} sessionId={sessionId} />),
      ),
    },
    {
      id: 'changes',
      label: 'Changes',
      content: room('The changes', <rooms.TurnDiff sessionId={sessionId} turnId={turnId} />),
    },
    {
      id: 'terminal',
      label: 'Terminal',
      content: room(
        'The terminal',
        inDirectory((directory) => <rooms.TerminalsView directory={directory} />),
      ),
    },
    {
      id: 'processes',
      label: 'Processes',
      content: room('The processes', <rooms.ProcessesView />),
    },
    { id: 'ports', label: 'Ports', content: room('The ports', <rooms.PortsView />) },
  ];
  return (
    <Tabs
      label="Side panel"
      tabs={tabs}
      selected={selected}
      onSelect={(id) => {
        if (id === selected) {
          return;
        }
        const tab = id as PanelTab;
        set({ panelTab: tab });
        if (asked !== null || isPage || tab === 'files' || tab === 'changes') {
          navigate(pathOf(sessionId, tab, isPage), { replace: true });
        }
      }}
      className={styles.panel ?? ''}
      actions={
        isPage ? null : (
          <IconButton
            label="Close the side panel"
            shortcut="Ctrl J"
            size="small"
            onPress={() => closePanel(sessionId, asked !== null)}
          >
            <X size={16} />
          </IconButton>
        )
      }
    />
  );
}

/** Close it; an address that asks for it no longer does. */
export function closePanel(sessionId: string, isAsked: boolean): void {
  usePreferences.getState().set({ rightOpen: false });
  if (isAsked) {
    navigate(paths.session(sessionId), { replace: true });
  }
}
