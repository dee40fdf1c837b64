/** What a person has set: kept in this browser, the same in every tab. */
import { create } from 'zustand';
import { createJSONStorage, persist } from 'zustand/middleware';

export type Theme = 'system' | 'dark' | 'light';
export type Density = 'comfortable' | 'compact';
export type PanelTab = 'events' | 'files' | 'changes' | 'terminal' | 'processes' | 'ports';

export interface PreferenceValues {
  theme: Theme;
  density: Density;
  /** Widths in px of the columns beside the conversation. */
  leftWidth: number;
  rightWidth: number;
  leftOpen: boolean;
  rightOpen: boolean;
  panelTab: PanelTab;
  /** Follow what arrives even when the beginning of an answer leaves the view. */
  alwaysFollow: boolean;
  /** Keys without Ctrl or Alt (`n`, `j`, `g i`). */
  singleKeys: boolean;
  /** Tell by a notification of the system when something waits. */
  notifications: boolean;
  /** Who answers: shown to others beside what was decided. */
  actor: string;
}

export interface Preferences extends PreferenceValues {
  set(values: Partial<PreferenceValues>): void;
}

export const PANEL = { left: { min: 220, max: 400 }, right: { min: 320, max: 960 } } as const;

const KEY = 'sandbox-agent:preferences';

export const DEFAULTS: PreferenceValues = {
  theme: 'system',
  density: 'comfortable',
  leftWidth: 280,
  rightWidth: 440,
  leftOpen: true,
  // Beside a narrow conversation it would be in the way until somebody asks for it.
  rightOpen: typeof window !== 'undefined' && window.innerWidth >= 1400,
  panelTab: 'events',
  alwaysFollow: false,
  singleKeys: true,
  notifications: false,
  actor: '',
};

/** Stored values may come from another version, or from somebody's hands: each is taken only if it can be. */
export function readPreferences(stored: unknown): PreferenceValues {
  const values: Record<string, unknown> = { ...DEFAULTS };
  if (typeof stored === 'object' && stored !== null) {
    for (const [name, value] of Object.entries(stored)) {
      if (Object.hasOwn(DEFAULTS, name) && typeof value === typeof values[name]) {
        values[name] = value;
      }
    }
  }
  const read = values as unknown as PreferenceValues;
  const oneOf = <T extends string>(value: T, all: readonly T[], other: T) =>
    all.includes(value) ? value : other;
  const width = (value: number, side: { min: number; max: number }, other: number) =>
    Number.isFinite(value) ? Math.min(side.max, Math.max(side.min, value)) : other;
  return {
    ...read,
    theme: oneOf(read.theme, ['system', 'dark', 'light'], DEFAULTS.theme),
    density: oneOf(read.density, ['comfortable', 'compact'], DEFAULTS.density),
    panelTab: oneOf(
      read.panelTab,
      ['events', 'files', 'changes', 'terminal', 'processes', 'ports'],
      DEFAULTS.panelTab,
    ),
    leftWidth: width(read.leftWidth, PANEL.left, DEFAULTS.leftWidth),
    rightWidth: width(read.rightWidth, PANEL.right, DEFAULTS.rightWidth),
  };
}

/** A browser may refuse its storage (private windows, policies): then nothing is kept, and all else works. */
const storage = createJSONStorage(() => ({
  getItem(name: string) {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  },
  setItem(name: string, value: string) {
    try {
      localStorage.setItem(name, value);
    } catch {
      // Nothing to do: the preference holds until the tab is closed.
    }
  },
  removeItem(name: string) {
    try {
      localStorage.removeItem(name);
    } catch {
      // As above.
    }
  },
}));

export const usePreferences = create<Preferences>()(
  persist((set) => ({ ...DEFAULTS, set: (values) => set(values) }), {
    name: KEY,
    version: 1,
    storage,
    partialize: ({ set: _set, ...values }) => values,
    merge: (stored, current) => ({ ...current, ...readPreferences(stored) }),
  }),
);

/** Take over what another tab has set. */
export function followOtherTabs(): () => void {
  const onStorage = (event: StorageEvent) => {
    if (event.key === KEY) {
      void usePreferences.persist.rehydrate();
    }
  };
  window.addEventListener('storage', onStorage);
  return () => window.removeEventListener('storage', onStorage);
}
