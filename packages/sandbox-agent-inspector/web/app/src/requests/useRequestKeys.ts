import { useShortcut } from '../shell/shortcuts.ts';
import { currentActions, goToPending } from './current.ts';

/** Keys that answer what is in view: never a letter alone, and never in the moment in which it came. */
export function useRequestKeys(): void {
  const group = 'Requests';
  useShortcut('Alt+Y', () => currentActions()?.allow() ?? false, { label: 'Allow once', group });
  useShortcut('Alt+N', () => currentActions()?.deny() ?? false, { label: 'Deny', group });
  useShortcut('Alt+ArrowDown', () => goToPending(1), { label: 'Next request', group });
  useShortcut('Alt+ArrowUp', () => goToPending(-1), { label: 'Previous request', group });
}
