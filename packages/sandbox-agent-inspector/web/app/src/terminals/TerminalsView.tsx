import { Columns2, Ellipsis, Plus, Search, SquareTerminal } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import type { ProcessInfo } from 'sandbox-agent-client';
import { foreign } from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import {
  Button,
  ConfirmDialog,
  EmptyState,
  Foreign,
  IconButton,
  Menu,
  Skeleton,
} from '../ui/index.ts';
import { TerminalPane, type TerminalPaneHandle } from './TerminalPane.tsx';
import styles from './TerminalsView.module.css';
import { TerminalTabs } from './TerminalTabs.tsx';
import { useTerminals } from './useTerminals.ts';

interface TerminalsViewProps {
  /** Where a new one begins. */
  directory: string;
}

const FONT_SIZES = [11, 12, 13, 14, 16, 18];

/** The terminals of the server: whoever opened them, and whichever page they were opened in. */
export function TerminalsView({ directory }: TerminalsViewProps) {
  const terminals = useTerminals(directory);
  const { all, active, beside, made, state, titleOf } = terminals;
  const [closing, setClosing] = useState<ProcessInfo | null>(null);
  const main = useRef<TerminalPaneHandle>(null);
  const second = useRef<TerminalPaneHandle>(null);

  const { gaveKeys } = terminals;
  useEffect(() => {
    const pane =
      made === null ? null : made === active?.id ? main : made === beside?.id ? second : null;
    if (pane === null) return;
    pane.current?.focus();
    gaveKeys();
  }, [made, active?.id, beside?.id, gaveKeys]);

  if (all === null)
    return terminals.problem ? (
      <EmptyState
        title="The terminals cannot be told"
        actions={<Button onPress={terminals.refresh}>Try again</Button>}
      >
        {terminals.problem}
      </EmptyState>
    ) : (
      <div className={styles.loading}>
        <Skeleton lines={[30, 60, 20]} />
      </div>
    );

  const pane = (one: ProcessInfo, isMain: boolean) => (
    <TerminalPane
      key={one.id}
      ref={isMain ? main : second}
      processId={one.id}
      label={`Terminal ${foreign(titleOf(one)).slice(0, 80)}`}
      fontSize={state.fontSize}
      screenReader={state.screenReader}
      onTitle={(title) => terminals.setTitle(one.id, title)}
      onExit={(exit) => terminals.onExit(one, exit)}
    />
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
              isDisabled={terminals.isStarting}
              onPress={() => terminals.create('tab')}
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
              terminals={all}
              active={active.id}
              beside={beside?.id ?? null}
              exitOf={terminals.exitOf}
              titleOf={titleOf}
              onSelect={terminals.select}
              onClose={(one) => {
                if (terminals.isRunning(one)) setClosing(one);
                else void terminals.close(one);
              }}
            />
            <IconButton
              label="New terminal"
              isDisabled={terminals.isStarting}
              onPress={() => terminals.create('tab')}
            >
              <Plus />
            </IconButton>
            <IconButton label="Find" shortcut="Ctrl Shift F" onPress={() => main.current?.find()}>
              <Search />
            </IconButton>
            <IconButton
              label={beside ? 'Close the second pane' : 'Show two side by side'}
              aria-pressed={beside !== null}
              onPress={terminals.toggleSplit}
            >
              <Columns2 />
            </IconButton>
            <TerminalsMenu terminals={terminals} activeId={active.id} pane={main} />
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
        onConfirm={() => closing && void terminals.close(closing)}
      >
        <p>
          What runs in <Foreign text={closing ? titleOf(closing) : ''} maxChars={60} /> is ended
          with it. “Hide the tab” in the menu lets it run.
        </p>
      </ConfirmDialog>
    </section>
  );
}

interface TerminalsMenuProps {
  terminals: ReturnType<typeof useTerminals>;
  activeId: string;
  pane: React.RefObject<TerminalPaneHandle | null>;
}

function TerminalsMenu({ terminals, activeId, pane }: TerminalsMenuProps) {
  const { state, set } = terminals;
  return (
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
        if (id === 'copy') void copyText(pane.current?.text() ?? '', 'Output');
        else if (id === 'hide') set({ dismissed: [...state.dismissed, activeId] });
        else if (id === 'split') terminals.create('split');
        else if (id === 'reader') set({ screenReader: !state.screenReader });
        else set({ fontSize: stepped(state.fontSize, id === 'larger' ? 1 : -1) });
      }}
    />
  );
}

function stepped(size: number, step: number): number {
  const at = FONT_SIZES.indexOf(size);
  return FONT_SIZES[Math.min(FONT_SIZES.length - 1, Math.max(0, at + step))] ?? size;
}
