/** Which terminals are open in this tab of the browser, and how they stand. */
import { create } from 'zustand';

export interface TerminalsState {
  active: string | null;
  /** Beside the active one. */
  split: string | null;
  /** Taken out of the row of tabs; their programs run on. */
  dismissed: readonly string[];
  fontSize: number;
  screenReader: boolean;
}

const KEY = 'sandbox-agent:terminals';
const EMPTY: TerminalsState = {
  active: null,
  split: null,
  dismissed: [],
  fontSize: 13,
  screenReader: false,
};

function read(): Readonly<Record<string, TerminalsState>> {
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

const useStore = create<{ servers: Readonly<Record<string, TerminalsState>> }>(() => ({
  servers: read(),
}));

export function useTerminalsState(server: string) {
  const state = useStore(({ servers }) => servers[server]) ?? EMPTY;
  const set = (change: Partial<TerminalsState>) => {
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

/** What programs call their terminals: of this page only. */
export const useTitles = create<{
  titles: Readonly<Record<string, string>>;
  set(id: string, title: string): void;
}>((set) => ({
  titles: {},
  set: (id, title) => set(({ titles }) => ({ titles: { ...titles, [id]: title } })),
}));
