/** The rooms. The list is there at once, the conversation follows it; the others come when they are first opened. */
import { type ReactNode, Suspense } from 'react';
import { Skeleton } from '../ui/index.ts';
import { lazyRoom, RoomBoundary } from './RoomBoundary.tsx';

const loadChat = async () => (await import('../chat/ChatView.tsx')).ChatView;

/** Asked for before a session is opened; one that is linked to begins to load with it. */
export function fetchChat(): void {
  // Whoever opens a session asks again, and is told.
  loadChat().catch(() => {});
}

export const ChatView = lazyRoom(loadChat);
export const Timeline = lazyRoom(async () => (await import('../timeline/Timeline.tsx')).Timeline);
export const Palette = lazyRoom(async () => (await import('./Palette.tsx')).Palette);
export const KeysDialog = lazyRoom(async () => (await import('./KeysDialog.tsx')).KeysDialog);
export const TurnDiff = lazyRoom(async () => (await import('../chat/TurnDiff.tsx')).TurnDiff);
export const Inbox = lazyRoom(async () => (await import('../requests/Inbox.tsx')).Inbox);
export const NewSession = lazyRoom(
  async () => (await import('../sessions/NewSession.tsx')).NewSession,
);
export const FilesView = lazyRoom(async () => (await import('../files/FilesView.tsx')).FilesView);
export const TerminalsView = lazyRoom(
  async () => (await import('../terminals/TerminalsView.tsx')).TerminalsView,
);
export const ProcessesView = lazyRoom(
  async () => (await import('../processes/ProcessesView.tsx')).ProcessesView,
);
export const PortsView = lazyRoom(async () => (await import('../ports/PortsView.tsx')).PortsView);
export const AgentsPage = lazyRoom(
  async () => (await import('../agents/AgentsPage.tsx')).AgentsPage,
);
export const ConfigPage = lazyRoom(
  async () => (await import('../config/ConfigPage.tsx')).ConfigPage,
);
export const ServerPage = lazyRoom(
  async () => (await import('../server/ServerPage.tsx')).ServerPage,
);

interface RoomProps {
  name: string;
  /** When this changes, a room that failed is tried again. */
  resetKey?: string;
  /** It stands above the page, which has no place for it before it is there. */
  isSilent?: boolean;
  children: ReactNode;
}

/** A room in its own boundary. While its code comes, grey lines stand where its words will be. */
export function Room({ name, resetKey, isSilent = false, children }: RoomProps) {
  return (
    <RoomBoundary name={name} resetKey={resetKey}>
      <Suspense
        fallback={
          isSilent ? null : (
            <div style={{ padding: 24 }}>
              <Skeleton />
            </div>
          )
        }
      >
        {children}
      </Suspense>
    </RoomBoundary>
  );
}
