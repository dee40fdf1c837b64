export {
  useClient,
  useConnection,
  useInbox,
  useServer,
  useServerSelector,
  useSession,
  useSessionInfo,
  useSessionSelector,
  useSessionStore,
  useSessions,
} from './hooks.ts';
export { ServerProvider, type ServerProviderProps, useServerStore } from './ServerProvider.tsx';
