/** What of a directory's files is open in this tab of the browser: kept over a reload. */
import { create } from 'zustand';

export type FilesMode = 'files' | 'changes' | 'search';

export interface DirectoryState {
  tabs: readonly string[];
  active: string | null;
  /** In a narrow place either the tree or the file is shown. */
  showsFile: boolean;
  expanded: readonly string[];
  mode: FilesMode;
  hidden: boolean;
  ignored: boolean;
}

const EMPTY: DirectoryState = {
  tabs: [],
  active: null,
  showsFile: false,
  expanded: [],
  mode: 'files',
  hidden: true,
  ignored: true,
};
const KEY = 'sandbox-agent:files';
const MOST_TABS = 30;

type Places = Readonly<Record<string, DirectoryState>>;

function read(): Places {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? '{}');
    if (typeof stored !== 'object' || stored === null) return {};
    const places: [string, DirectoryState][] = Object.entries(stored).map(([key, value]) => [
      key,
      { ...EMPTY, ...(typeof value === 'object' ? value : {}) },
    ]);
    return Object.fromEntries(places);
  } catch {
    return {};
  }
}

const useStore = create<{ places: Places }>(() => ({ places: read() }));

export interface Place {
  state: DirectoryState;
  set(change: Partial<DirectoryState>): void;
  open(path: string): void;
  close(path: string): void;
  /** A file or directory has another path now; null: it is gone. */
  moved(from: string, to: string | null): void;
}

export function usePlace(server: string, directory: string): Place {
  const key = `${server} ${directory}`;
  const state = useStore(({ places }) => places[key]) ?? EMPTY;
  return { state, ...actionsOf(key) };
}

function actionsOf(key: string): Omit<Place, 'state'> {
  const now = () => useStore.getState().places[key] ?? EMPTY;
  const set = (change: Partial<DirectoryState>) => {
    useStore.setState(({ places }) => ({
      places: { ...places, [key]: { ...(places[key] ?? EMPTY), ...change } },
    }));
    try {
      sessionStorage.setItem(KEY, JSON.stringify(useStore.getState().places));
    } catch {
      // Without a storage it is forgotten at the next reload.
    }
  };
  return {
    set,
    open(path) {
      const { tabs } = now();
      set({
        tabs: tabs.includes(path) ? tabs : [...tabs, path].slice(-MOST_TABS),
        active: path,
        showsFile: true,
        mode: 'files',
      });
    },
    close(path) {
      const { tabs, active } = now();
      const at = tabs.indexOf(path);
      const rest = tabs.filter((one) => one !== path);
      const next = active === path ? (rest[Math.min(at, rest.length - 1)] ?? null) : active;
      set({ tabs: rest, active: next, showsFile: next !== null && now().showsFile });
    },
    moved(from, to) {
      const follow = (path: string): string | null => {
        if (path !== from && !path.startsWith(`${from}/`)) return path;
        return to === null ? null : to + path.slice(from.length);
      };
      const { tabs, active, expanded } = now();
      const kept = (paths: readonly string[]) =>
        paths.map(follow).filter((path): path is string => path !== null);
      const rest = kept(tabs);
      set({
        tabs: rest,
        active: active === null ? null : (follow(active) ?? rest.at(-1) ?? null),
        expanded: kept(expanded),
      });
    },
  };
}
