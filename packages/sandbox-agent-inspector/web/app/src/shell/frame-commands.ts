/** Keys and commands that are there wherever one is. */
import { useInbox } from 'sandbox-agent-react';
import { setNotifications } from './attention.ts';
import { appPlace, ownServerUrl, pathBelow, ROOT } from './base.ts';
import { copyText } from './clipboard.ts';
import { linkTo, navigate, paths, useRoute } from './navigation.ts';
import { notify } from './notify.tsx';
import { overlays } from './overlays.ts';
import { type PanelTab, type Theme, usePreferences } from './preferences.ts';
import { focusNextRegion, focusRegionNamed } from './regions.ts';
import { closePanel } from './SidePanel.tsx';
import { useCommand, useShortcut } from './shortcuts.ts';
import { tokens } from './token.ts';

const GO = 'Go to';
const VIEW = 'View';
const SETTINGS = 'Settings';

function useGoing(): void {
  useShortcut('g i', () => navigate(paths.inbox()), {
    label: 'Inbox',
    group: GO,
    keywords: 'waiting requests permissions',
  });
  useShortcut(
    'g s',
    () => {
      usePreferences.getState().set({ leftOpen: true });
      if (window.innerWidth < 800) {
        navigate(paths.sessions());
      }
      requestAnimationFrame(() => focusRegionNamed('sessions'));
    },
    { label: 'Sessions', group: GO },
  );
  useShortcut('g f', () => navigate(paths.files()), { label: 'Files', group: GO });
  useShortcut('g t', () => navigate(paths.terminals()), { label: 'Terminals', group: GO });
  useShortcut('g p', () => navigate(paths.processes()), { label: 'Processes', group: GO });
  useCommand(() => navigate(paths.ports()), { label: 'Ports', group: GO, keywords: 'preview' });
  useShortcut('g a', () => navigate(paths.agents()), {
    label: 'Agents',
    group: GO,
    keywords: 'install credentials',
  });
  useShortcut('g m', () => navigate(paths.config()), {
    label: 'MCP servers and skills',
    group: GO,
  });
  useShortcut('g v', () => navigate(paths.server()), {
    label: 'Server and settings',
    group: GO,
    keywords: 'health tokens log preferences',
  });
}

function usePanels(): void {
  const route = useRoute();
  const sessionId = route.room === 'session' ? route.id : null;
  const { set } = usePreferences.getState();
  const showTab = (panelTab: PanelTab) => {
    if (sessionId === null) {
      return false;
    }
    set({ panelTab, rightOpen: true });
    const path =
      panelTab === 'files'
        ? paths.sessionFiles(sessionId)
        : panelTab === 'changes'
          ? paths.diff(sessionId)
          : window.innerWidth < 800
            ? paths.activity(sessionId)
            : paths.session(sessionId);
    navigate(path);
  };
  const inSession = { when: sessionId !== null, group: 'Side panel' };
  useShortcut(
    'Ctrl+B',
    () => {
      const { leftOpen } = usePreferences.getState();
      set({
        leftOpen: !leftOpen,
        ...(leftOpen || window.innerWidth >= 1200 ? {} : { rightOpen: false }),
      });
    },
    { label: 'Show or hide the sessions', group: VIEW },
  );
  useShortcut(
    'Ctrl+J',
    () => {
      if (sessionId === null) {
        return false;
      }
      if (usePreferences.getState().rightOpen) {
        closePanel(sessionId, route.room === 'session' && route.at.kind !== 'end');
      } else {
        set({ rightOpen: true });
      }
    },
    { label: 'Show or hide the side panel', group: VIEW, when: sessionId !== null },
  );
  useCommand(() => showTab('events'), { label: 'Show events', ...inSession, keywords: 'timeline' });
  useCommand(() => showTab('files'), { label: 'Show files', ...inSession });
  useCommand(() => showTab('changes'), { label: 'Show changes', ...inSession, keywords: 'diff' });
  useCommand(() => showTab('terminal'), { label: 'Show terminal', ...inSession });
  useCommand(() => showTab('processes'), { label: 'Show processes', ...inSession });
  useCommand(() => showTab('ports'), { label: 'Show ports', ...inSession });
}

function useSettings(): void {
  const preferences = usePreferences();
  const themes: Record<Theme, string> = { system: 'as the system', dark: 'dark', light: 'light' };
  const theme = (value: Theme) => () => preferences.set({ theme: value });
  const option = (value: Theme) => ({
    label: `Theme: ${themes[value]}`,
    group: SETTINGS,
    when: preferences.theme !== value,
    keywords: 'appearance colours',
  });
  useCommand(theme('dark'), option('dark'));
  useCommand(theme('light'), option('light'));
  useCommand(theme('system'), option('system'));
  const { density, alwaysFollow, singleKeys, notifications } = preferences;
  useCommand(
    () => preferences.set({ density: density === 'compact' ? 'comfortable' : 'compact' }),
    {
      label: density === 'compact' ? 'Rows: comfortable' : 'Rows: compact',
      group: SETTINGS,
      keywords: 'density',
    },
  );
  useCommand(() => preferences.set({ alwaysFollow: !alwaysFollow }), {
    label: alwaysFollow
      ? 'Stop following at the beginning of long answers'
      : 'Always follow what arrives',
    group: SETTINGS,
    keywords: 'scroll',
  });
  useCommand(() => preferences.set({ singleKeys: !singleKeys }), {
    label: singleKeys ? 'Switch single-letter keys off' : 'Switch single-letter keys on',
    group: SETTINGS,
    keywords: 'shortcuts keyboard',
  });
  useCommand(
    async () => {
      if (!(await setNotifications(!notifications)) && !notifications) {
        notify({ title: 'The browser does not allow notifications', tone: 'error' });
      }
    },
    {
      label: notifications ? 'Notifications off' : 'Notify me when something waits',
      group: SETTINGS,
    },
  );
  useCommand(
    () => {
      tokens.forget(ownServerUrl());
      window.location.assign(`${appPlace(ROOT, window.location.pathname).base}/`);
    },
    { label: 'Sign out: forget the token of this server', group: SETTINGS },
  );
}

export function useFrameCommands(): void {
  const waiting = useInbox().length;
  useGoing();
  usePanels();
  useSettings();
  useShortcut(['Ctrl+K', 'Ctrl+Shift+K'], () => overlays.setState({ palette: true }), {
    label: 'Command palette',
    offered: false,
  });
  useShortcut('?', () => overlays.setState({ keys: true }), { label: 'Keyboard shortcuts' });
  useShortcut('n', () => navigate(paths.newSession()), {
    label: 'New session',
    id: 'sessions.new',
    keywords: 'create start',
  });
  useShortcut('F6', () => focusNextRegion(1), { label: 'Next region', offered: false });
  useShortcut('Shift+F6', () => focusNextRegion(-1), { label: 'Region before', offered: false });
  useCommand(
    () => {
      const { pathname, search } = window.location;
      const { base } = appPlace(ROOT, pathname);
      void copyText(linkTo(pathBelow(base, pathname) + search), 'Link');
    },
    { label: 'Copy a link to this page' },
  );
  useCommand(() => navigate(paths.inbox()), {
    label: `Answer what waits (${waiting})`,
    when: waiting > 0,
  });
}
