import { createContext, type ReactNode, useContext, useEffect } from 'react';
import type { ServerStore } from 'sandbox-agent-client';

export const ServerContext = createContext<ServerStore | null>(null);

export interface ServerProviderProps {
  store: ServerStore;
  children?: ReactNode;
}

/** Gives a server to everything below, and follows it as long as it is there. */
export function ServerProvider({ store, children }: ServerProviderProps) {
  useEffect(() => {
    store.start();
    return () => store.stop();
  }, [store]);
  return <ServerContext.Provider value={store}>{children}</ServerContext.Provider>;
}

/** The server's store. Throws without a `ServerProvider` above. */
export function useServerStore(): ServerStore {
  const store = useContext(ServerContext);
  if (!store) throw new Error('There is no <ServerProvider> above this component.');
  return store;
}
