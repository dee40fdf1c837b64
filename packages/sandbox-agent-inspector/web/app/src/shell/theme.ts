/** The theme that applies, kept on the root element for the style sheets. */
import { useEffect, useSyncExternalStore } from 'react';
import { usePreferences } from './preferences.ts';

const LIGHT = '(prefers-color-scheme: light)';

function subscribe(listener: () => void): () => void {
  const query = window.matchMedia(LIGHT);
  query.addEventListener('change', listener);
  return () => query.removeEventListener('change', listener);
}

function systemIsLight(): boolean {
  return window.matchMedia(LIGHT).matches;
}

export function useAppliedTheme(): 'dark' | 'light' {
  const theme = usePreferences((preferences) => preferences.theme);
  const light = useSyncExternalStore(subscribe, systemIsLight, () => false);
  return theme === 'system' ? (light ? 'light' : 'dark') : theme;
}

/** Called once by the frame. */
export function useTheme(): void {
  const theme = useAppliedTheme();
  const density = usePreferences((preferences) => preferences.density);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    document.documentElement.dataset.density = density;
  }, [theme, density]);
}

/** Before the first paint, so that a light page never flashes dark. */
export function applyThemeAtStart(): void {
  const { theme, density } = usePreferences.getState();
  const light = theme === 'light' || (theme === 'system' && systemIsLight());
  document.documentElement.dataset.theme = light ? 'light' : 'dark';
  document.documentElement.dataset.density = density;
}
