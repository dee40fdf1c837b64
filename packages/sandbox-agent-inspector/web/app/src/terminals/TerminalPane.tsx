import '@xterm/xterm/css/xterm.css';
import { ChevronDown, ChevronUp, X } from 'lucide-react';
import { type Ref, useCallback, useImperativeHandle, useRef, useState } from 'react';
import { foreign, useClient } from 'sandbox-agent-react';
import {
  type HeldKeys,
  type PasteGuard,
  ProcessTerminal,
  Terminal,
  type TerminalExit,
  type TerminalHandle,
  type TerminalState,
  type TerminalTransport,
} from 'sandbox-agent-react/terminal';
import { announce } from '../shell/announce.tsx';
import { clipboardText } from '../shell/clipboard.ts';
import { IconButton, SearchField } from '../ui/index.ts';
import { KeyBar } from './KeyBar.tsx';
import { LinkDialog, PasteDialog } from './TerminalDialogs.tsx';
import styles from './TerminalPane.module.css';
import { useTerminalTheme } from './theme.ts';

interface TerminalPaneProps {
  processId: string;
  label: string;
  fontSize: number;
  screenReader: boolean;
  /** In place of the process's own terminal: a log, say. */
  transport?: () => TerminalTransport;
  transportKey?: string;
  isLog?: boolean;
  onTitle?: (title: string) => void;
  onExit?: (exit: TerminalExit) => void;
  ref?: Ref<TerminalPaneHandle>;
}

export interface TerminalPaneHandle {
  focus(): void;
  find(): void;
  text(): string;
}

/** A terminal with all that is around it: how it is connected, its search, what it asks, keys for a phone. */
export function TerminalPane({
  processId,
  label,
  fontSize,
  screenReader,
  transport,
  transportKey = processId,
  isLog = false,
  onTitle,
  onExit,
  ref,
}: TerminalPaneProps) {
  const client = useClient();
  const theme = useTerminalTheme();
  const terminal = useRef<TerminalHandle>(null);
  const [state, setState] = useState<{ name: TerminalState; reason?: string }>({
    name: 'connecting',
  });
  const [exit, setExit] = useState<TerminalExit | null>(null);
  const [note, setNote] = useState<string | null>(null);
  const [paste, setPaste] = useState<{ guard: PasteGuard; answer(yes: boolean): void } | null>(
    null,
  );
  const [link, setLink] = useState<string | null>(null);
  const [isFinding, setFinding] = useState(false);
  const [held, setHeld] = useState<HeldKeys>({ control: false, alt: false });

  useImperativeHandle(
    ref,
    () => ({
      focus: () => terminal.current?.focus(),
      find: () => setFinding(true),
      text: () => terminal.current?.text() ?? '',
    }),
    [],
  );

  const hold = useCallback((next: HeldKeys) => {
    setHeld(next);
    terminal.current?.hold(next);
  }, []);

  return (
    <div className={styles.pane}>
      {isFinding && (
        <FindBar
          find={(text, backwards) => terminal.current?.find(text, backwards) ?? { count: 0, at: 0 }}
          onClose={() => {
            setFinding(false);
            terminal.current?.focus();
          }}
        />
      )}
      <Terminal
        ref={terminal}
        className={styles.screen}
        role="group"
        aria-label={label}
        label={isLog ? label : `${label}. F6 leaves the terminal.`}
        transport={transport ?? (() => new ProcessTerminal(client, processId))}
        transportKey={transportKey}
        theme={theme}
        fontSize={fontSize}
        fontFamily='ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace'
        convertEol={isLog}
        screenReader={screenReader}
        on={{
          askPaste: (guard) =>
            new Promise((resolve) =>
              setPaste({
                guard,
                answer: (yes) => {
                  setPaste(null);
                  resolve(yes);
                  requestAnimationFrame(() => terminal.current?.focus());
                },
              }),
            ),
          openLink: setLink,
          title: onTitle,
          state: (name, reason) => {
            setState({ name, reason });
            if (name === 'reconnecting') setNote(null);
          },
          exit: (ended) => {
            setExit(ended);
            announce(`${label}: ${wordsOfExit(ended)}`);
            onExit?.(ended);
          },
          notice: setNote,
          restored: (lines) => {
            if (!isLog && lines > 1) setNote(`Reconnected, ${lines} lines restored`);
          },
          find: () => setFinding(true),
          released: () => setHeld({ control: false, alt: false }),
        }}
      />
      <StatusLine state={state} exit={exit} note={note} onDismiss={() => setNote(null)} />
      {!isLog && (
        <KeyBar
          held={held}
          onHold={hold}
          onPress={(key) => {
            terminal.current?.press(key, held);
            hold({ control: false, alt: false });
          }}
          onPaste={async () => {
            const text = await clipboardText();
            if (text !== null) await terminal.current?.paste(text);
          }}
        />
      )}
      <PasteDialog paste={paste} />
      <LinkDialog url={link} onClose={() => setLink(null)} />
    </div>
  );
}

interface StatusLineProps {
  state: { name: TerminalState; reason?: string };
  exit: TerminalExit | null;
  note: string | null;
  onDismiss: () => void;
}

function StatusLine({ state, exit, note, onDismiss }: StatusLineProps) {
  const words = exit
    ? wordsOfExit(exit)
    : state.name === 'reconnecting'
      ? 'Reconnecting… what is typed now is sent then'
      : state.name === 'failed'
        ? (state.reason ?? 'The terminal is gone')
        : null;
  if (words === null && note === null) return null;
  const isBad = state.name === 'failed' || (exit !== null && exit.exitCode !== 0);
  return (
    <div className={styles.status} data-bad={isBad || undefined}>
      <span>{[words, note && foreign(note).slice(0, 300)].filter(Boolean).join(' · ')}</span>
      {note !== null && words === null && (
        <IconButton label="Dismiss" size="small" onPress={onDismiss}>
          <X />
        </IconButton>
      )}
    </div>
  );
}

export function wordsOfExit({ exitCode, signal }: TerminalExit): string {
  if (signal) return `Ended by ${signal}`;
  if (exitCode === null) return 'Ended';
  return exitCode === 0 ? 'Ended with exit code 0' : `Ended with exit code ${exitCode}`;
}

interface FindBarProps {
  find: (text: string, backwards: boolean) => { count: number; at: number };
  onClose: () => void;
}

function FindBar({ find, onClose }: FindBarProps) {
  const [text, setText] = useState('');
  const [found, setFound] = useState<{ count: number; at: number } | null>(null);
  const go = (wanted: string, backwards: boolean) =>
    setFound(wanted === '' ? null : find(wanted, backwards));
  return (
    <search className={styles.find}>
      <SearchField
        label="Find in the terminal"
        value={text}
        onChange={(value) => {
          setText(value);
          go(value, true);
        }}
        autoFocus
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            event.preventDefault();
            onClose();
          } else if (event.key === 'Enter') {
            event.preventDefault();
            go(text, !event.shiftKey);
          }
        }}
      />
      <span className={styles.count} role="status">
        {found === null ? '' : found.count === 0 ? 'none' : `${found.at} of ${found.count}`}
      </span>
      <IconButton label="Previous" size="small" shortcut="Enter" onPress={() => go(text, true)}>
        <ChevronUp />
      </IconButton>
      <IconButton label="Next" size="small" onPress={() => go(text, false)}>
        <ChevronDown />
      </IconButton>
      <IconButton label="Close the search" size="small" onPress={onClose}>
        <X />
      </IconButton>
    </search>
  );
}
