/** The columns of the page and what stands in them, by the address and by how much room there is. */
import { useEffect, useRef } from 'react';
import { SessionList } from '../sessions/SessionList.tsx';
import { arrive } from './arrival.ts';
import { useAttention } from './attention.ts';
import { ConnectionBar } from './ConnectionBar.tsx';
import styles from './Frame.module.css';
import { useFrameCommands } from './frame-commands.ts';
import { useLastSession } from './last-session.ts';
import { MainRoom } from './MainRoom.tsx';
import { type Route, useRoute } from './navigation.ts';
import { overlays } from './overlays.ts';
import { PhoneBar } from './PhoneBar.tsx';
import { DEFAULTS, PANEL, usePreferences } from './preferences.ts';
import { RoomLinks } from './RoomLinks.tsx';
import { focusMainIfLost } from './regions.ts';
import { KeysDialog, NewSession, Palette, Room } from './rooms.tsx';
import { ServerSwitcher } from './ServerSwitcher.tsx';
import { SidePanel } from './SidePanel.tsx';
import { Splitter } from './Splitter.tsx';
import { useScreenWidth } from './screen.ts';

/** The room behind the dialog of a new session: where one was. */
function roomKey(route: Route): string {
  return route.room === 'session' ? `session ${route.id}` : route.room;
}

export function Frame() {
  const route = useRoute();
  const screen = useScreenWidth();
  useFrameCommands();
  const lastSession = useLastSession(route);
  const key = roomKey(route);
  const lastKey = useRef(key);
  useEffect(() => {
    if (lastKey.current === key) {
      return;
    }
    lastKey.current = key;
    arrive();
    const frame = requestAnimationFrame(focusMainIfLost);
    return () => cancelAnimationFrame(frame);
  }, [key]);
  return (
    <div className={styles.frame} data-screen={screen}>
      <button
        type="button"
        className={styles.skip}
        onClick={() => document.getElementById('main')?.focus()}
      >
        Skip to the conversation
      </button>
      <Attention />
      <ConnectionBar />
      {screen === 'narrow' ? (
        <Narrow route={route} lastSession={lastSession} />
      ) : (
        <Columns route={route} isWide={screen === 'wide'} lastSession={lastSession} />
      )}
      {route.room === 'new' ? (
        <Room name="The dialog for a new session" isSilent>
          <NewSession />
        </Room>
      ) : null}
      <Overlays />
    </div>
  );
}

/** By itself: it reads all sessions, which change while any of them works. */
function Attention() {
  useAttention();
  return null;
}

/** Once opened they stay: their closing is a part of them. */
function Overlays() {
  const { palette, keys } = overlays();
  const wanted = useRef({ palette: false, keys: false });
  wanted.current.palette ||= palette;
  wanted.current.keys ||= keys;
  return (
    <>
      {wanted.current.palette ? (
        <Room name="The palette" isSilent>
          <Palette />
        </Room>
      ) : null}
      {wanted.current.keys ? (
        <Room name="The list of keys" isSilent>
          <KeysDialog />
        </Room>
      ) : null}
    </>
  );
}

interface LayoutProps {
  route: Route;
  lastSession: string | null;
}

function SessionsColumn() {
  return (
    <>
      <ServerSwitcher />
      <Room name="The list of sessions">
        <SessionList />
      </Room>
      <RoomLinks />
    </>
  );
}

function Columns({ route, isWide, lastSession }: LayoutProps & { isWide: boolean }) {
  const preferences = usePreferences();
  const sessionId = route.room === 'session' ? route.id : route.room === 'new' ? lastSession : null;
  const showsPanel = sessionId !== null && preferences.rightOpen;
  // With two columns the panel takes the place of the list.
  const showsList = preferences.leftOpen && (isWide || !showsPanel);
  const most = Math.max(PANEL.right.min, Math.min(PANEL.right.max, window.innerWidth - 640));
  const rightWidth = Math.min(preferences.rightWidth, isWide ? most : window.innerWidth * 0.5);
  return (
    <div className={styles.columns}>
      {showsList ? (
        <>
          <nav
            id="sessions-column"
            className={styles.left}
            style={{ width: preferences.leftWidth }}
            aria-label="Sessions"
            data-region="sessions"
            tabIndex={-1}
          >
            <SessionsColumn />
          </nav>
          <Splitter
            label="Width of the list of sessions"
            controls="sessions-column"
            side="left"
            value={preferences.leftWidth}
            {...PANEL.left}
            onChange={(leftWidth) => preferences.set({ leftWidth })}
            onReset={() => preferences.set({ leftWidth: DEFAULTS.leftWidth })}
          />
        </>
      ) : null}
      <main id="main" className={styles.main} data-region="main" tabIndex={-1}>
        <MainRoom route={route} lastSession={lastSession} />
      </main>
      {showsPanel && sessionId !== null ? (
        <>
          <Splitter
            label="Width of the side panel"
            controls="side-panel"
            side="right"
            value={rightWidth}
            min={PANEL.right.min}
            max={most}
            onChange={(width) => preferences.set({ rightWidth: width })}
            onReset={() => preferences.set({ rightWidth: DEFAULTS.rightWidth })}
          />
          <aside
            id="side-panel"
            className={styles.right}
            style={{ width: rightWidth }}
            aria-label="Side panel"
            data-region="panel"
            tabIndex={-1}
          >
            <SidePanel key={sessionId} sessionId={sessionId} route={route} />
          </aside>
        </>
      ) : null}
    </div>
  );
}

/** One thing at a time, and a bar below that goes between the four that matter. */
function Narrow({ route, lastSession }: LayoutProps) {
  const showsList = route.room === 'sessions' || (route.room === 'new' && lastSession === null);
  const beside = route.room === 'session' && ['activity', 'files', 'diff'].includes(route.at.kind);
  return (
    <>
      <div className={styles.stack}>
        {showsList ? (
          <main
            id="main"
            className={styles.left}
            aria-label="Sessions"
            data-region="main"
            tabIndex={-1}
          >
            <SessionsColumn />
          </main>
        ) : beside && route.room === 'session' ? (
          <main id="main" className={styles.main} data-region="main" tabIndex={-1}>
            <SidePanel key={route.id} sessionId={route.id} route={route} isPage />
          </main>
        ) : (
          <main id="main" className={styles.main} data-region="main" tabIndex={-1}>
            <MainRoom route={route} lastSession={lastSession} />
          </main>
        )}
      </div>
      <PhoneBar route={route} lastSession={lastSession} />
    </>
  );
}
