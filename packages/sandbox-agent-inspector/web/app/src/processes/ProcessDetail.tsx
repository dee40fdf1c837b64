import { Copy, RotateCcw, Search, Square, SquareTerminal, Trash2, Zap } from 'lucide-react';
import { useRef, useState } from 'react';
import type { ProcessInfo } from 'sandbox-agent-client';
import { formatElapsed, useClient, useNow } from 'sandbox-agent-react';
import { type LogStream, ProcessLog } from 'sandbox-agent-react/terminal';
import { copyText } from '../shell/clipboard.ts';
import { navigate, paths } from '../shell/navigation.ts';
import { notify } from '../shell/notify.tsx';
import { useTerminalsState } from '../terminals/state.ts';
import { TerminalPane, type TerminalPaneHandle } from '../terminals/TerminalPane.tsx';
import { Badge, Button, Foreign, IconButton, Select } from '../ui/index.ts';
import styles from './ProcessDetail.module.css';
import { commandOf, ExitBadge } from './ProcessesView.tsx';

interface ProcessDetailProps {
  process: ProcessInfo;
  onAsk: (what: 'stop' | 'kill' | 'remove') => void;
  onRestart: () => Promise<void>;
  onExit: () => void;
}

const STREAMS = [
  { id: 'combined', label: 'All output' },
  { id: 'stdout', label: 'Standard output' },
  { id: 'stderr', label: 'Errors' },
];

/** One process: what it is, its output as it comes, and its end. */
export function ProcessDetail({ process, onAsk, onRestart, onExit }: ProcessDetailProps) {
  const client = useClient();
  const { state, set } = useTerminalsState(client.url);
  const [stream, setStream] = useState<LogStream>('combined');
  const log = useRef<TerminalPaneHandle>(null);
  const isRunning = process.status === 'running';
  const now = useNow(isRunning);
  const command = commandOf(process);

  return (
    <div className={styles.detail}>
      <header className={styles.header}>
        <h2 className={styles.command}>
          <Foreign text={command} maxChars={400} />
        </h2>
        <dl className={styles.facts}>
          <div>
            <dt>State</dt>
            <dd>
              {isRunning ? <Badge tone="accent">running</Badge> : <ExitBadge process={process} />}
            </dd>
          </div>
          <div>
            <dt>{isRunning ? 'Runs for' : 'Ran for'}</dt>
            <dd>{formatElapsed((process.exitedAtMs ?? now) - process.createdAtMs)}</dd>
          </div>
          {process.pid != null && (
            <div>
              <dt>PID</dt>
              <dd>{process.pid}</dd>
            </div>
          )}
          {process.cwd && (
            <div>
              <dt>In</dt>
              <dd>
                <Foreign text={process.cwd} maxChars={80} />
              </dd>
            </div>
          )}
          <div>
            <dt>Started by</dt>
            <dd>
              <Foreign text={process.actor ?? 'the server’s own token'} maxChars={60} />
            </dd>
          </div>
        </dl>
        <div className={styles.actions}>
          {isRunning ? (
            <>
              <Button size="small" icon={<Square aria-hidden />} onPress={() => onAsk('stop')}>
                Stop
              </Button>
              <Button
                size="small"
                look="danger"
                icon={<Zap aria-hidden />}
                onPress={() => onAsk('kill')}
              >
                Kill
              </Button>
              {process.tty && (
                <Button
                  size="small"
                  icon={<SquareTerminal aria-hidden />}
                  onPress={() => {
                    set({
                      active: process.id,
                      dismissed: state.dismissed.filter((id) => id !== process.id),
                    });
                    navigate(paths.terminals());
                  }}
                >
                  Open its terminal
                </Button>
              )}
            </>
          ) : (
            <>
              <Button
                size="small"
                icon={<RotateCcw aria-hidden />}
                onPress={() =>
                  void onRestart().catch((error: unknown) =>
                    notify({ title: 'It did not start', detail: String(error), tone: 'error' }),
                  )
                }
              >
                Run again
              </Button>
              <Button
                size="small"
                look="quiet"
                icon={<Trash2 aria-hidden />}
                onPress={() => onAsk('remove')}
              >
                Forget
              </Button>
            </>
          )}
          <span className={styles.space} />
          {!process.tty && (
            <Select
              label="Output"
              hideLabel
              value={stream}
              onChange={(id) => setStream(id as LogStream)}
              options={STREAMS}
              className={styles.stream}
            />
          )}
          <IconButton label="Find in the output" onPress={() => log.current?.find()}>
            <Search />
          </IconButton>
          <IconButton
            label="Copy the output"
            onPress={() => void copyText(log.current?.text() ?? '', 'Output')}
          >
            <Copy />
          </IconButton>
        </div>
      </header>
      <TerminalPane
        ref={log}
        processId={process.id}
        label={`Output of ${command.slice(0, 60)}`}
        fontSize={state.fontSize}
        screenReader={state.screenReader}
        isLog
        onExit={onExit}
        transport={() => new ProcessLog(client, process.id, stream)}
        transportKey={`${process.id} ${stream}`}
      />
    </div>
  );
}
