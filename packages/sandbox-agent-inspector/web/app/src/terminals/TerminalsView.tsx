import { Columns2, Ellipsis, Plus, Search, SquareTerminal, X } from 'lucide-react';
import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from 'react';
import type { ProcessInfo } from 'sandbox-agent-client';
import { foreign, useClient, useProcesses, writtenCommand } from 'sandbox-agent-react';
import type { TerminalExit } from 'sandbox-agent-react/terminal';
import { notify } from '../shell/notify.tsx';
import {
  Badge,
  Button,
  ConfirmDialog,
  EmptyState,
  Foreign,
  IconButton,
  Menu,
  Skeleton,
} from '../ui/index.ts';
import { isLoginShell, SHELL } from './shell.ts';
import { useTerminalsState, useTitles } from './state.ts';
import { TerminalPane, type TerminalPaneHandle } from './TerminalPane.tsx';
import styles from './TerminalsView.module.css';

interface TerminalsViewProps {
  /** Where a new one begins. */
  directory: string;
}

const FONT_SIZES = [11, 12, 13, 14, 16, 18];

/** The terminals of the server: whoever opened them, and whichever page they were opened in. */
export function TerminalsView({ directory }: TerminalsViewProps) {
  const client = useClient();
  const { processes, problem, refresh } = useProcesses();
  const { state, set } = useTerminalsState(client.url);
  const titles = useTitles((store) => store.titles);
  const setTitle = useTitles((store) => store.set);
  const [ended, setEnded] = useState<Readonly<Record<string, TerminalExit>>>({});
  const [closing, setClosing] = useState<ProcessInfo | null>(null);
  const [isStarting, setStarting] = useState(false);
  const main = useRef<TerminalPaneHandle>(null);
  const wantsFocus = useRef<string | null>(null);

  const terminals = (processes ?? [])
    .filter((one) => one.tty && !state.dismissed.includes(one.id))
    .filter((one) => one.status === 'running' || one.id in ended || one.id === state.active)
    .toReversed();
  const active = terminals.find((one) => one.id === state.active) ?? terminals.at(-1) ?? null;
  const beside = terminals.find((one) => one.id === state.split && one.id !== active?.id) ?? null;

  const create = useCallback(
    async (place: 'tab' | 'split') => {
      setStarting(true);
      try {
        const made = await client.processes.create({
          command: SHELL.command,
          args: [...SHELL.args],
          tty: true,
          interactive: true,
          env: { TERM: 'xterm-256color', COLORTERM: 'truecolor' },
          ...(directory === '.' ? {} : { cwd: directory }),
        });
        wantsFocus.current = made.id;
        await refresh();
        set(place === 'tab' ? { active: made.id } : { split: made.id });
      } catch (error) {
        notify({
          title: 'No terminal could be opened',
          detail: error instanceof Error ? error.message : String(error),
          tone: 'error',
        });
      } finally {
        setStarting(false);
      }
    },
    [client, directory, refresh, set],
  );

  const close = async (one: ProcessInfo) => {
    const at = terminals.indexOf(one);
    const next = terminals[at + 1] ?? terminals[at - 1];
    set({
      dismissed: [...state.dismissed, one.id].slice(-100),
      ...(one.id === state.split ? { split: null } : {}),
      ...(one.id === active?.id ? { active: next?.id ?? null } : {}),
    });
    try {
      if (one.status === 'running' && !(one.id in ended)) await client.processes.kill(one.id);
    } catch (error) {
      notify({ title: 'It could not be ended', detail: String(error), tone: 'error' });
    }
    void refresh();
  };

  const titleOf = (one: ProcessInfo): string =>
    titles[one.id] ??
    (isLoginShell(one)
      ? `Shell ${one.id.replace('proc_', '')}`
      : writtenCommand(one.command, one.args));

  // A terminal that was just made gets the keys, once it is there.
  useEffect(() => {
    if (active && wantsFocus.current === active.id) {
      wantsFocus.current = null;
      const timer = setTimeout(() => main.current?.focus(), 150);
      return () => clearTimeout(timer);
    }
  }, [active]);

  const pane = (one: ProcessInfo, isMain: boolean) => (
    <TerminalPane
      key={one.id}
      ref={isMain ? main : undefined}
      processId={one.id}
      label={`Terminal ${foreign(titleOf(one)).slice(0, 80)}`}
      fontSize={state.fontSize}
      screenReader={state.screenReader}
      onTitle={(title) => setTitle(one.id, title)}
      onExit={(exit) => {
        setEnded((before) => ({ ...before, [one.id]: exit }));
        void refresh();
      }}
    />
  );

  if (processes === null)
    return problem ? (
      <EmptyState
        title="The terminals cannot be told"
        actions={<Button onPress={() => void refresh()}>Try again</Button>}
      >
        {problem}
      </EmptyState>
    ) : (
      <div className={styles.loading}>
        <Skeleton lines={[30, 60, 20]} />
      </div>
    );

  return (
    <section className={styles.view} aria-label="Terminals">
      {active === null ? (
        <EmptyState
          icon={<SquareTerminal />}
          title="No terminal is open"
          actions={
            <Button
              look="primary"
              icon={<Plus aria-hidden />}
              isDisabled={isStarting}
              onPress={() => void create('tab')}
            >
              New terminal
            </Button>
          }
        >
          <p>
            A login shell in the sandbox
            {directory === '.' ? '' : ', in '}
            {directory !== '.' && <Foreign text={directory} maxChars={80} />}. It runs on when this
            page is closed, and is here again when you come back.
          </p>
        </EmptyState>
      ) : (
        <>
          <div className={styles.bar}>
            <TerminalTabs
              terminals={terminals}
              active={active.id}
              beside={beside?.id ?? null}
              ended={ended}
              titleOf={titleOf}
              onSelect={(id) => set({ active: id, ...(id === beside?.id ? { split: null } : {}) })}
              onClose={(one) => {
                if (one.status === 'running' && !(one.id in ended)) setClosing(one);
                else void close(one);
              }}
            />
            <IconButton
              label="New terminal"
              isDisabled={isStarting}
              onPress={() => void create('tab')}
            >
              <Plus />
            </IconButton>
            <IconButton label="Find" shortcut="Ctrl Shift F" onPress={() => main.current?.find()}>
              <Search />
            </IconButton>
            <IconButton
              label={beside ? 'Close the second pane' : 'Show two side by side'}
              aria-pressed={beside !== null}
              onPress={() => {
                if (beside) set({ split: null });
                else {
                  const other = terminals.findLast((one) => one.id !== active.id);
                  if (other) set({ split: other.id });
                  else void create('split');
                }
              }}
            >
              <Columns2 />
            </IconButton>
            <Menu
              label="More of terminals"
              placement="bottom end"
              trigger={
                <IconButton label="More">
                  <Ellipsis />
                </IconButton>
              }
              groups={[
                {
                  id: 'this',
                  entries: [
                    { id: 'copy', label: 'Copy all output' },
                    { id: 'hide', label: 'Hide the tab, let it run' },
                    { id: 'split', label: 'New terminal beside it' },
                  ],
                },
                {
                  id: 'looks',
                  entries: [
                    { id: 'larger', label: 'Larger letters' },
                    { id: 'smaller', label: 'Smaller letters' },
                    {
                      id: 'reader',
                      label: state.screenReader
                        ? 'Switch screen reader support off'
                        : 'Switch screen reader support on',
                    },
                  ],
                },
              ]}
              onAction={(id) => {
                if (id === 'copy')
                  void navigator.clipboard.writeText(main.current?.text() ?? '').then(
                    () => notify({ title: 'Copied the output', key: 'copied' }),
                    () =>
                      notify({ title: 'The browser does not let this page copy', tone: 'error' }),
                  );
                else if (id === 'hide') set({ dismissed: [...state.dismissed, active.id] });
                else if (id === 'split') void create('split');
                else if (id === 'reader') set({ screenReader: !state.screenReader });
                else set({ fontSize: stepped(state.fontSize, id === 'larger' ? 1 : -1) });
              }}
            />
          </div>
          <div className={styles.panes} data-split={beside !== null || undefined}>
            {pane(active, true)}
            {beside && pane(beside, false)}
          </div>
        </>
      )}
      <ConfirmDialog
        title="End this terminal?"
        action="End it"
        danger
        isOpen={closing !== null}
        onOpenChange={(isOpen) => !isOpen && setClosing(null)}
        onConfirm={() => closing && void close(closing)}
      >
        <p>
          What runs in <Foreign text={closing ? titleOf(closing) : ''} maxChars={60} /> is ended
          with it. “Hide the tab” in the menu lets it run.
        </p>
      </ConfirmDialog>
    </section>
  );
}

function stepped(size: number, step: number): number {
  const at = FONT_SIZES.indexOf(size);
  return FONT_SIZES[Math.min(FONT_SIZES.length - 1, Math.max(0, at + step))] ?? size;
}

interface TerminalTabsProps {
  terminals: readonly ProcessInfo[];
  active: string;
  beside: string | null;
  ended: Readonly<Record<string, TerminalExit>>;
  titleOf: (one: ProcessInfo) => string;
  onSelect: (id: string) => void;
  onClose: (one: ProcessInfo) => void;
}

function TerminalTabs({
  terminals,
  active,
  beside,
  ended,
  titleOf,
  onSelect,
  onClose,
}: TerminalTabsProps) {
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const at = terminals.findIndex((one) => one.id === active);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const here = terminals[at];
    if (step !== undefined) {
      event.preventDefault();
      const next = terminals[(at + step + terminals.length) % terminals.length];
      if (next) onSelect(next.id);
      const list = event.currentTarget;
      requestAnimationFrame(() =>
        list.querySelector<HTMLElement>('[role="tab"][aria-selected="true"]')?.focus(),
      );
    } else if (event.key === 'Delete' && here) {
      event.preventDefault();
      onClose(here);
    }
  };
  return (
    <div role="tablist" aria-label="Terminals" className={styles.tabs} onKeyDown={onKeyDown}>
      {terminals.map((one) => {
        const exit = ended[one.id] ?? (one.status === 'exited' ? exitOf(one) : null);
        const title = titleOf(one);
        return (
          <div
            key={one.id}
            role="presentation"
            className={styles.tab}
            data-active={one.id === active || undefined}
            data-beside={one.id === beside || undefined}
          >
            <button
              type="button"
              role="tab"
              aria-selected={one.id === active}
              tabIndex={one.id === active ? 0 : -1}
              className={styles.name}
              title={`${foreign(title).slice(0, 200)}\n${foreign(one.cwd ?? '')}`}
              onClick={() => onSelect(one.id)}
              onAuxClick={(event) => event.button === 1 && onClose(one)}
            >
              <Foreign text={title} maxChars={36} />
              {exit && (
                <Badge tone={exit.exitCode === 0 ? 'neutral' : 'err'}>
                  {exit.signal ?? `exit ${exit.exitCode ?? '?'}`}
                </Badge>
              )}
            </button>
            <span aria-hidden title="Close" className={styles.close} onClick={() => onClose(one)}>
              <X />
            </span>
          </div>
        );
      })}
    </div>
  );
}

function exitOf(one: ProcessInfo): TerminalExit {
  return { exitCode: one.exitCode ?? null, signal: one.signal ?? null };
}
