/** Where one is needed, told outside of the page: the tab's title and picture, and notifications for who wants them. */

import { useEffect, useRef } from 'react';
import type { RequestInfo, SessionInfo } from 'sandbox-agent-client';
import { foreign, useInbox, useSessions } from 'sandbox-agent-react';
import { titleOf } from '../sessions/naming.ts';
import { summaryOf } from '../sessions/request-summary.ts';
import { announce } from './announce.tsx';
import { ROOT } from './base.ts';
import { navigate, paths, type Route, useRoute } from './navigation.ts';
import { usePreferences } from './preferences.ts';

const ROOM_TITLES: Partial<Record<Route['room'], string>> = {
  inbox: 'Inbox',
  files: 'Files',
  terminals: 'Terminals',
  processes: 'Processes',
  ports: 'Ports',
  agents: 'Agents',
  config: 'MCP servers and skills',
  server: 'Server',
  new: 'New session',
};

/** `(2) ◆ fix-auth · sandbox-agent`. */
export function pageTitle(waiting: number, place: string | undefined): string {
  const mark = waiting > 0 ? `(${waiting}) ◆ ` : '';
  return `${mark}${place ? `${place} · ` : ''}sandbox-agent`;
}

function useTitle(waiting: number): void {
  const route = useRoute();
  const id = route.room === 'session' ? route.id : null;
  const session = useSessions().find((each) => each.id === id);
  const place = session ? foreign(titleOf(session)).slice(0, 80) : ROOM_TITLES[route.room];
  useEffect(() => {
    document.title = pageTitle(waiting, place);
  }, [waiting, place]);
}

function useFavicon(waits: boolean): void {
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    if (link) {
      link.href = `${ROOT}/${waits ? 'favicon-waiting.svg' : 'favicon.svg'}`;
    }
  }, [waits]);
}

/** Tell of requests that came while the page is open, not of those that it found. */
function useNewRequests(requests: readonly RequestInfo[], sessions: readonly SessionInfo[]): void {
  const known = useRef<Set<string> | null>(null);
  const notifications = usePreferences((preferences) => preferences.notifications);
  useEffect(() => {
    const before = known.current;
    known.current = new Set(requests.map((each) => each.id));
    if (before === null) {
      return;
    }
    for (const request of requests.filter((each) => !before.has(each.id))) {
      const session = sessions.find((each) => each.id === request.sessionId);
      const line = foreign(summaryOf(request));
      announce(`Needs you: ${line}`, 'assertive');
      if (notifications && document.hidden) {
        tellBySystem(request, session ? foreign(titleOf(session)) : 'sandbox-agent', line);
      }
    }
  }, [requests, sessions, notifications]);
}

function tellBySystem(request: RequestInfo, title: string, body: string): void {
  if (!('Notification' in window) || Notification.permission !== 'granted') {
    return;
  }
  try {
    const told = new Notification(`◆ ${title}`, { body, tag: request.id });
    told.onclick = () => {
      window.focus();
      if (request.sessionId) {
        navigate(paths.session(request.sessionId));
      }
      told.close();
    };
  } catch {
    // Phones have them only for installed apps.
  }
}

/** Ask the browser, which it allows only on a click. */
export async function setNotifications(wanted: boolean): Promise<boolean> {
  const granted =
    wanted && 'Notification' in window && (await Notification.requestPermission()) === 'granted';
  usePreferences.getState().set({ notifications: granted });
  return granted;
}

export function useAttention(): void {
  const requests = useInbox();
  const sessions = useSessions();
  useTitle(requests.length);
  useFavicon(requests.length > 0);
  useNewRequests(requests, sessions);
}
