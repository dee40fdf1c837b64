/** Which port is looked at in this tab of the browser: kept over a reload. */
import { create } from 'zustand';
import type { Width } from './preview.ts';

export interface PreviewState {
  port: number | null;
  path: string;
  width: Width;
}

const KEY = 'sandbox-agent:preview';
const EMPTY: PreviewState = { port: null, path: '/', width: 'fit' };

function read(): Readonly<Record<string, PreviewState>> {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? '{}');
    if (typeof stored !== 'object' || stored === null) return {};
    return Object.fromEntries(
      Object.entries(stored).map(([server, state]) => [server, { ...EMPTY, ...state }]),
    );
  } catch {
    return {};
  }
}

const useStore = create<{ servers: Readonly<Record<string, PreviewState>> }>(() => ({
  servers: read(),
}));

export function usePreviewState(server: string) {
  const state = useStore(({ servers }) => servers[server]) ?? EMPTY;
  const set = (change: Partial<PreviewState>) => {
    useStore.setState(({ servers }) => ({
      servers: { ...servers, [server]: { ...(servers[server] ?? EMPTY), ...change } },
    }));
    try {
      sessionStorage.setItem(KEY, JSON.stringify(useStore.getState().servers));
    } catch {
      // It is forgotten at the next reload.
    }
  };
  return { state, set };
}
