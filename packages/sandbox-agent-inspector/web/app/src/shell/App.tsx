/** The whole page: one server, reached with one token, and the frame around its rooms. */
import { type ReactNode, useEffect, useMemo, useState } from 'react';
import { I18nProvider, RouterProvider } from 'react-aria-components';
import { SandboxAgent, ServerStore } from 'sandbox-agent-client';
import { ServerProvider, useServerSelector } from 'sandbox-agent-react';
import { usePathname } from 'wouter/use-browser-location';
import { LiveRegions } from './announce.tsx';
import { listenToBeginnings } from './arrival.ts';
import { appPlace, ownServerUrl, ROOT } from './base.ts';
import { ConnectPage } from './ConnectPage.tsx';
import { Frame } from './Frame.tsx';
import { HubPage } from './HubPage.tsx';
import { navigate, useHref } from './navigation.ts';
import { Notices } from './notify.tsx';
import { followOtherTabs } from './preferences.ts';
import { RoomBoundary } from './RoomBoundary.tsx';
import { requestLog } from './request-log.ts';
import { followScrollBar, followVisibleHeight } from './screen.ts';
import { apiUrl, askForHub, findHub, refreshHub, useServers } from './servers.ts';
import { listenToKeys } from './shortcuts.ts';
import { useTheme } from './theme.ts';
import { tokens } from './token.ts';

function useTokenOfServer(): [string | null, (token: string, remember: boolean) => void] {
  const key = ownServerUrl();
  const [token, setToken] = useState(() => tokens.get(key));
  return [
    token,
    (next, remember) => {
      tokens.set(key, next, remember);
      setToken(next);
    },
  ];
}

async function hubRefusal(token: string): Promise<string | null> {
  const { state } = await askForHub(token);
  return state === 'present' ? null : 'It is not taken.';
}

export function App() {
  useTheme();
  useEffect(listenToKeys, []);
  useEffect(listenToBeginnings, []);
  useEffect(followOtherTabs, []);
  useEffect(followVisibleHeight, []);
  useEffect(followScrollBar, []);
  const [token, connect] = useTokenOfServer();
  const { server } = appPlace(ROOT, usePathname());
  const hub = useServers((state) => state.hub);
  useEffect(() => {
    void findHub(token);
  }, [token]);

  let page: ReactNode;
  if (server === null && hub.state === 'present') {
    page = <HubPage list={hub} refresh={() => void refreshHub(token)} />;
  } else if (server === null && hub.state === 'locked') {
    page = <ConnectPage refused={token !== null} connect={connect} refusalOf={hubRefusal} />;
  } else if (server === null && hub.state === 'unknown') {
    page = null;
  } else {
    page = (
      <Server
        key={`${server ?? ''} ${token ?? ''}`}
        name={server}
        token={token}
        connect={connect}
      />
    );
  }
  return (
    <I18nProvider locale="en-US">
      <RouterProvider navigate={navigate} useHref={useHref}>
        <RoomBoundary name="The Inspector">{page}</RoomBoundary>
        <LiveRegions />
        <Notices />
      </RouterProvider>
    </I18nProvider>
  );
}

interface ServerProps {
  name: string | null;
  token: string | null;
  connect(token: string, remember: boolean): void;
}

function Server({ name, token, connect }: ServerProps) {
  const store = useMemo(
    () =>
      new ServerStore(
        new SandboxAgent({
          url: apiUrl(name),
          token,
          onRequest: (record) => requestLog.add(record),
        }),
      ),
    [name, token],
  );
  useEffect(() => {
    store.start();
    return () => store.stop();
  }, [store]);
  return (
    <ServerProvider store={store}>
      <Guarded hadToken={token !== null} connect={connect} />
    </ServerProvider>
  );
}

/** The frame as soon as the server lets us in; a server without a token does so at once. */
function Guarded({ hadToken, connect }: { hadToken: boolean } & Pick<ServerProps, 'connect'>) {
  const state = useServerSelector(({ connection }) => connection.state);
  if (state === 'unauthorized') {
    return <ConnectPage refused={hadToken} connect={connect} />;
  }
  if (!hadToken && state === 'connecting') {
    return null;
  }
  return <Frame />;
}
