/** How much room there is. Two columns begin at 800 px, three at 1200. */
import { useSyncExternalStore } from 'react';

export type ScreenWidth = 'narrow' | 'medium' | 'wide';

const MEDIUM = '(min-width: 800px)';
const WIDE = '(min-width: 1200px)';

function read(): ScreenWidth {
  if (window.matchMedia(WIDE).matches) {
    return 'wide';
  }
  return window.matchMedia(MEDIUM).matches ? 'medium' : 'narrow';
}

function subscribe(listener: () => void): () => void {
  const queries = [window.matchMedia(MEDIUM), window.matchMedia(WIDE)];
  for (const query of queries) {
    query.addEventListener('change', listener);
  }
  return () => {
    for (const query of queries) {
      query.removeEventListener('change', listener);
    }
  };
}

export function useScreenWidth(): ScreenWidth {
  return useSyncExternalStore(subscribe, read, () => 'wide');
}

/** The room that is kept for a scroll bar (none where it lies over the content), for what ends where a list ends. */
export function followScrollBar(): () => void {
  const measure = () => {
    const probe = document.createElement('div');
    probe.className = 'scroll-probe';
    const content = document.createElement('div');
    probe.append(content);
    document.body.append(probe);
    const width = probe.offsetWidth - content.offsetWidth;
    probe.remove();
    document.documentElement.style.setProperty('--scroll-bar', `${width}px`);
  };
  measure();
  // Zooming the page changes it.
  window.addEventListener('resize', measure);
  return () => window.removeEventListener('resize', measure);
}

/**
 * The height that is left above a phone's keyboard. Browsers that know `interactive-widget` shrink the page by
 * themselves; the others tell it only here.
 */
export function followVisibleHeight(): () => void {
  const viewport = window.visualViewport;
  if (!viewport) {
    return () => {};
  }
  const apply = () => {
    // A pinch also makes the visible part smaller; that is no keyboard.
    const height = viewport.scale > 1.01 ? window.innerHeight : viewport.height;
    document.documentElement.style.setProperty('--visible-height', `${Math.round(height)}px`);
  };
  apply();
  viewport.addEventListener('resize', apply);
  return () => viewport.removeEventListener('resize', apply);
}
