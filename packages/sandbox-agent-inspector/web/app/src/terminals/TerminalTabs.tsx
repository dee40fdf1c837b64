import type { ProcessInfo } from 'sandbox-agent-client';
import { foreign } from 'sandbox-agent-react';
import type { TerminalExit } from 'sandbox-agent-react/terminal';
import { Badge, ClosableTab, ClosableTabs, Foreign } from '../ui/index.ts';

interface TerminalTabsProps {
  terminals: readonly ProcessInfo[];
  active: string;
  beside: string | null;
  exitOf: (one: ProcessInfo) => TerminalExit | null;
  titleOf: (one: ProcessInfo) => string;
  onSelect: (id: string) => void;
  onClose: (one: ProcessInfo) => void;
}

/** The terminals that are open, and how those ended that did. */
export function TerminalTabs({
  terminals,
  active,
  beside,
  exitOf,
  titleOf,
  onSelect,
  onClose,
}: TerminalTabsProps) {
  return (
    <ClosableTabs
      label="Terminals"
      ids={terminals.map((one) => one.id)}
      selected={active}
      onSelect={onSelect}
      onClose={(id) => {
        const one = terminals.find((terminal) => terminal.id === id);
        if (one) onClose(one);
      }}
    >
      {terminals.map((one) => {
        const exit = exitOf(one);
        const title = titleOf(one);
        return (
          <ClosableTab
            key={one.id}
            id={one.id}
            title={`${foreign(title).slice(0, 200)}\n${foreign(one.cwd ?? '')}`}
            isBeside={one.id === beside}
          >
            <Foreign text={title} maxChars={36} />
            {exit && (
              <Badge tone={exit.exitCode === 0 ? 'neutral' : 'err'}>
                {exit.signal ?? `exit ${exit.exitCode ?? '?'}`}
              </Badge>
            )}
          </ClosableTab>
        );
      })}
    </ClosableTabs>
  );
}
