/** Keys of the whole app. A room says what a key does while it is there; one listener finds who is meant. */
import { useEffect, useRef, useSyncExternalStore } from 'react';
import { type Command, commands } from './commands.ts';
import { chords, isChord, isMac, isSingle, takesText } from './keys.ts';
import { usePreferences } from './preferences.ts';

export interface ShortcutOptions {
  /** What it does, as a person would say it: shown by `?`, in the palette and in tooltips. */
  label: string;
  /** Off while this is false. */
  when?: boolean;
  /** Heading it stands under. Default: General. */
  group?: string;
  /** Whether the palette offers it. Default: yes. */
  offered?: boolean;
  /** Whether the keys also work while a dialog is open. Default: no. */
  inDialogs?: boolean;
  id?: string;
  keywords?: string;
}

/** How long the second press of `g i` may take. */
const SEQUENCE_MS = 1200;

/**
 * Do something at a key: `Ctrl+K`, `Alt+Y`, `g i`, `?`; several keys are alternatives. Letters without Ctrl or Alt work
 * only while no field has the focus. Of several that want the same key, the one that came last is asked first;
 * a handler that returns `false` passes it on.
 */
export function useShortcut(
  keys: string | readonly string[],
  handler: () => unknown,
  options: ShortcutOptions,
): void {
  const latest = useRef(handler);
  useEffect(() => {
    latest.current = handler;
  });
  const all = typeof keys === 'string' ? keys : keys.join('\n');
  const {
    label,
    when = true,
    group = 'General',
    offered = true,
    inDialogs = false,
    id,
    keywords,
  } = options;
  useEffect(() => {
    if (!when) {
      return;
    }
    return commands.add({
      id: id ?? label,
      label,
      group,
      keys: all.split('\n').filter((each) => each !== ''),
      offered,
      inDialogs,
      ...(keywords === undefined ? {} : { keywords }),
      run: () => latest.current(),
    });
  }, [all, label, when, group, offered, inDialogs, id, keywords]);
}

/** Offer something in the palette that has no key. */
export function useCommand(run: () => unknown, options: ShortcutOptions): void {
  useShortcut('', run, options);
}

export function useCommands(): readonly Command[] {
  return useSyncExternalStore(commands.subscribe, commands.getSnapshot, commands.getSnapshot);
}

/** What a terminal must not see: everything else belongs to what runs in it. */
const THROUGH_TERMINAL = new Set(['F6', 'Shift+F6', 'Ctrl+Shift+K']);

function mayRun(keys: string, target: Element | null): boolean {
  if (target?.closest('[data-keys="all"]')) {
    return THROUGH_TERMINAL.has(keys);
  }
  if (!isSingle(keys)) {
    return true;
  }
  return usePreferences.getState().singleKeys && !takesText(target);
}

/** Whether a dialog or a menu is open: what is behind it is hidden from assistive technology then. */
function isCovered(): boolean {
  return document.getElementById('root')?.matches('[aria-hidden="true"], [inert]') ?? false;
}

/** Listen to the keys of the page. Called once, by the frame. */
export function listenToKeys(): () => void {
  const mac = isMac();
  let begun: string[] = [];
  let begunAt = 0;

  const attempt = (event: KeyboardEvent, before: readonly string[]): boolean => {
    const target = event.target instanceof Element ? event.target : null;
    const covered = isCovered();
    for (const command of commands.getSnapshot().toReversed()) {
      if (covered && !command.inDialogs) {
        continue;
      }
      for (const keys of command.keys) {
        const wanted = chords(keys);
        const fits =
          wanted.length === before.length + 1 &&
          before.every((press, index) => wanted[index] === press) &&
          isChord(wanted.at(-1) ?? '', event, mac);
        if (fits && mayRun(keys, target) && command.run() !== false) {
          return true;
        }
      }
    }
    return false;
  };

  /** The first half of a sequence, of those that may begin now. */
  const beginning = (event: KeyboardEvent): string | null => {
    const target = event.target instanceof Element ? event.target : null;
    for (const command of commands.getSnapshot()) {
      for (const keys of command.keys) {
        const [first, second] = chords(keys);
        if (first && second && isChord(first, event, mac) && mayRun(keys, target)) {
          return first;
        }
      }
    }
    return null;
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing || event.keyCode === 229) {
      return;
    }
    if (['Control', 'Shift', 'Alt', 'Meta'].includes(event.key)) {
      return;
    }
    const before = Date.now() - begunAt < SEQUENCE_MS ? begun : [];
    begun = [];
    if (attempt(event, before) || (before.length > 0 && attempt(event, []))) {
      event.preventDefault();
      return;
    }
    const first = before.length === 0 && !isCovered() ? beginning(event) : null;
    if (first) {
      begun = [first];
      begunAt = Date.now();
      event.preventDefault();
    }
  };

  window.addEventListener('keydown', onKeyDown);
  return () => window.removeEventListener('keydown', onKeyDown);
}
