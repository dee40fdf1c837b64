/** Which server this is, whether it is reached, and the way to others. */
import { ChevronsUpDown, PanelLeft, Plus } from 'lucide-react';
import { useState } from 'react';
import { Button as AriaButton } from 'react-aria-components';
import { useConnection } from 'sandbox-agent-react';
import { usePathname } from 'wouter/use-browser-location';
import { Foreign, IconButton, Menu, type MenuGroup } from '../ui/index.ts';
import { appPlace, ownServerUrl, ROOT } from './base.ts';
import { ConnectDialog } from './ConnectDialog.tsx';
import { hubHref } from './HubPage.tsx';
import { usePreferences } from './preferences.ts';
import styles from './ServerSwitcher.module.css';
import { useScreenWidth } from './screen.ts';
import { inspectorUrl, useServers } from './servers.ts';

const CONNECTION_WORDS = {
  connecting: 'Connecting',
  live: 'Connected',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
  unauthorized: 'Not signed in',
} as const;

function hostOf(url: string): string {
  return url.replace(/^https?:\/\//, '');
}

export function ServerSwitcher() {
  const { state } = useConnection();
  const { server } = appPlace(ROOT, usePathname());
  const { hub, saved } = useServers();
  const [connecting, setConnecting] = useState(false);
  const screen = useScreenWidth();
  const set = usePreferences((preferences) => preferences.set);
  const here = server ?? hostOf(ownServerUrl());

  const groups: MenuGroup[] = [];
  if (hub.state === 'present') {
    groups.push({
      id: 'hub',
      title: 'Sandboxes',
      entries: hub.servers.map((each) => ({
        id: `hub ${each.name}`,
        label: each.name,
        description: [each.provider, each.state].filter(Boolean).join(' · '),
      })),
    });
  } else {
    groups.push({ id: 'own', title: 'This server', entries: [{ id: 'own', label: here }] });
  }
  groups.push({
    id: 'others',
    title: 'Other servers, each in its own tab',
    entries: [
      ...saved.map((each) => ({ id: `url ${each.url}`, label: hostOf(each.url) })),
      { id: 'connect', label: 'Connect to a server…', icon: <Plus size={16} /> },
    ],
  });

  const act = (id: string) => {
    if (id === 'connect') {
      setConnecting(true);
    } else if (id.startsWith('url ')) {
      window.open(inspectorUrl(id.slice(4), null), '_blank', 'noopener');
    } else if (id.startsWith('hub ') && id.slice(4) !== server) {
      window.location.assign(hubHref(id.slice(4)));
    }
  };

  return (
    <div className={styles.row}>
      <Menu
        label="Servers"
        groups={groups}
        onAction={act}
        trigger={
          <AriaButton className={styles.switcher}>
            <span className={styles.names}>
              <strong>sandbox-agent</strong>
              <span className={styles.host}>
                <span className={styles.dot} data-state={state} aria-hidden />
                <Foreign text={here} maxChars={40} />
                <span className="visually-hidden">, {CONNECTION_WORDS[state]}</span>
              </span>
            </span>
            <ChevronsUpDown size={16} aria-hidden />
          </AriaButton>
        }
      />
      {screen === 'narrow' ? null : (
        <IconButton
          label="Hide the sessions"
          shortcut="Ctrl B"
          onPress={() => set({ leftOpen: false })}
        >
          <PanelLeft size={18} />
        </IconButton>
      )}
      <ConnectDialog isOpen={connecting} onOpenChange={setConnecting} />
    </div>
  );
}
