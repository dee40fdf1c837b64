import { useState } from 'react';
import type { ProcessInfo } from 'sandbox-agent-client';
import { useClient, useProcesses, writtenCommand } from 'sandbox-agent-react';
import type { TerminalExit } from 'sandbox-agent-react/terminal';
import { notify } from '../shell/notify.tsx';
import { isLoginShell, SHELL } from './shell.ts';
import { useTerminalsState, useTitles } from './state.ts';

/** The terminals of the server, which of them are shown, and what can be done with them. `directory`: where a new one begins. */
export function useTerminals(directory: string) {
  const client = useClient();
  const { processes, problem, refresh } = useProcesses();
  const { state, set } = useTerminalsState(client.url);
  const titles = useTitles((store) => store.titles);
  const setTitle = useTitles((store) => store.set);
  const [exits, setExits] = useState<Readonly<Record<string, TerminalExit>>>({});
  const [isStarting, setStarting] = useState(false);
  const [made, setMade] = useState<string | null>(null);

  const all = (processes ?? [])
    .filter((one) => one.tty && !state.dismissed.includes(one.id))
    .filter((one) => one.status === 'running' || one.id in exits || one.id === state.active)
    .toReversed();
  const active = all.find((one) => one.id === state.active) ?? all.at(-1) ?? null;
  const beside = all.find((one) => one.id === state.split && one.id !== active?.id) ?? null;

  const create = async (place: 'tab' | 'split') => {
    setStarting(true);
    try {
      const process = await client.processes.create({
        command: SHELL.command,
        args: [...SHELL.args],
        tty: true,
        interactive: true,
        env: { TERM: 'xterm-256color', COLORTERM: 'truecolor' },
        ...(directory === '.' ? {} : { cwd: directory }),
      });
      await refresh();
      set(place === 'tab' ? { active: process.id } : { split: process.id });
      setMade(process.id);
    } catch (error) {
      notify({
        title: 'No terminal could be opened',
        detail: error instanceof Error ? error.message : String(error),
        tone: 'error',
      });
    } finally {
      setStarting(false);
    }
  };

  const isRunning = (one: ProcessInfo) => one.status === 'running' && !(one.id in exits);

  return {
    /** Null until they are known. */
    all: processes === null ? null : all,
    problem,
    refresh: () => void refresh(),
    active,
    beside,
    state,
    set,
    isStarting,
    /** The one that was made last, until it has been given the keys. */
    made,
    gaveKeys: () => setMade(null),
    isRunning,
    create: (place: 'tab' | 'split') => void create(place),
    close: async (one: ProcessInfo) => {
      const at = all.indexOf(one);
      const next = all[at + 1] ?? all[at - 1];
      set({
        dismissed: [...state.dismissed, one.id].slice(-100),
        ...(one.id === state.split ? { split: null } : {}),
        ...(one.id === active?.id ? { active: next?.id ?? null } : {}),
      });
      try {
        if (isRunning(one)) await client.processes.kill(one.id);
      } catch (error) {
        notify({ title: 'It could not be ended', detail: String(error), tone: 'error' });
      }
      void refresh();
    },
    select: (id: string) => set({ active: id, ...(id === beside?.id ? { split: null } : {}) }),
    toggleSplit: () => {
      if (beside) {
        set({ split: null });
        return;
      }
      const other = all.findLast((one) => one.id !== active?.id);
      if (other) set({ split: other.id });
      else void create('split');
    },
    titleOf: (one: ProcessInfo): string =>
      titles[one.id] ??
      (isLoginShell(one)
        ? `Shell ${one.id.replace('proc_', '')}`
        : writtenCommand(one.command, one.args)),
    setTitle,
    exitOf: (one: ProcessInfo): TerminalExit | null =>
      exits[one.id] ??
      (one.status === 'exited'
        ? { exitCode: one.exitCode ?? null, signal: one.signal ?? null }
        : null),
    onExit: (one: ProcessInfo, exit: TerminalExit) => {
      setExits((before) => ({ ...before, [one.id]: exit }));
      void refresh();
    },
  };
}
