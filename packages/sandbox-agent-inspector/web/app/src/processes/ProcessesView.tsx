import { ChevronLeft, Cpu, Play, RefreshCw } from 'lucide-react';
import { useState } from 'react';
import type { ProcessInfo } from 'sandbox-agent-client';
import {
  foreign,
  formatBytes,
  formatElapsed,
  useClient,
  useNow,
  useProcesses,
  writtenCommand,
} from 'sandbox-agent-react';
import { notify } from '../shell/notify.tsx';
import { isLoginShell } from '../terminals/shell.ts';
import {
  Badge,
  Button,
  ConfirmDialog,
  EmptyState,
  Foreign,
  IconButton,
  SearchField,
  Skeleton,
} from '../ui/index.ts';
import { ProcessDetail } from './ProcessDetail.tsx';
import styles from './ProcessesView.module.css';
import { StartDialog } from './StartDialog.tsx';

type Asked = { what: 'stop' | 'kill' | 'remove'; process: ProcessInfo };

/** What was started through the server: by people, programs and pages; what agents run by themselves is in their chats. */
export function ProcessesView() {
  const client = useClient();
  const { processes, problem, refresh } = useProcesses();
  const [selected, setSelected] = useState<string | null>(null);
  const [query, setQuery] = useState('');
  const [isStarting, setStarting] = useState(false);
  const [asked, setAsked] = useState<Asked | null>(null);

  if (processes === null)
    return problem ? (
      <EmptyState
        title="The processes cannot be told"
        actions={<Button onPress={() => void refresh()}>Try again</Button>}
      >
        {problem}
      </EmptyState>
    ) : (
      <div className={styles.loading}>
        <Skeleton lines={[60, 42, 71, 50]} />
      </div>
    );

  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = processes.filter((one) => {
    const text =
      `${one.id} ${writtenCommand(one.command, one.args)} ${one.cwd ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const running = shown.filter((one) => one.status === 'running');
  const ended = shown.filter((one) => one.status === 'exited');
  const detail = processes.find((one) => one.id === selected) ?? null;

  const carryOut = async ({ what, process }: Asked) => {
    try {
      if (what === 'stop') await client.processes.stop(process.id);
      else if (what === 'kill') await client.processes.kill(process.id);
      else {
        await client.processes.remove(process.id);
        if (selected === process.id) setSelected(null);
      }
    } catch (error) {
      notify({
        title: 'That did not work',
        detail: error instanceof Error ? error.message : String(error),
        tone: 'error',
      });
    }
    void refresh();
  };

  const list = (title: string, some: readonly ProcessInfo[]) =>
    some.length > 0 && (
      <section aria-label={title}>
        <h3 className={styles.heading}>
          {title} · {some.length}
        </h3>
        <ul>
          {some.map((one) => (
            <li key={one.id}>
              <ProcessRow
                process={one}
                isSelected={one.id === selected}
                onSelect={() => setSelected(one.id)}
              />
            </li>
          ))}
        </ul>
      </section>
    );

  return (
    <div className={styles.view}>
      <div className={styles.split} data-showing={detail ? 'detail' : 'list'}>
        <section className={styles.side} aria-label="Processes">
          <div className={styles.bar}>
            <SearchField
              label="Search processes"
              value={query}
              onChange={setQuery}
              className={styles.search}
            />
            <IconButton label="Read again" onPress={() => void refresh()}>
              <RefreshCw />
            </IconButton>
            <Button size="small" icon={<Play aria-hidden />} onPress={() => setStarting(true)}>
              Start
            </Button>
          </div>
          <div className={styles.list}>
            {list('Running', running)}
            {list('Ended', ended)}
            {shown.length === 0 &&
              (processes.length > 0 ? (
                <EmptyState title="No process is like that" />
              ) : (
                <EmptyState
                  icon={<Cpu />}
                  title="No processes yet"
                  actions={
                    <Button icon={<Play aria-hidden />} onPress={() => setStarting(true)}>
                      Start one
                    </Button>
                  }
                >
                  <p>A development server, a build, a log to follow: whatever runs on by itself.</p>
                </EmptyState>
              ))}
          </div>
        </section>
        <section className={styles.main} aria-label="Process">
          {detail ? (
            <>
              <span className={styles.back}>
                <Button
                  look="quiet"
                  size="small"
                  icon={<ChevronLeft aria-hidden />}
                  onPress={() => setSelected(null)}
                >
                  Processes
                </Button>
              </span>
              <ProcessDetail
                key={detail.id}
                process={detail}
                onExit={() => void refresh()}
                onAsk={(what) => setAsked({ what, process: detail })}
                onRestart={async () => {
                  const made = await client.processes.create({
                    command: detail.command,
                    args: detail.args,
                    cwd: detail.cwd ?? null,
                    tty: detail.tty,
                  });
                  await refresh();
                  setSelected(made.id);
                }}
              />
            </>
          ) : (
            <EmptyState title="Choose a process">
              <p>Its output is shown here, live.</p>
            </EmptyState>
          )}
        </section>
      </div>
      <StartDialog
        isOpen={isStarting}
        onClose={() => setStarting(false)}
        onStarted={async (id) => {
          await refresh();
          setSelected(id);
        }}
      />
      <ConfirmDialog
        title={asked ? QUESTIONS[asked.what].title : ''}
        action={asked ? QUESTIONS[asked.what].action : ''}
        danger
        isOpen={asked !== null}
        onOpenChange={(isOpen) => !isOpen && setAsked(null)}
        onConfirm={() => asked && void carryOut(asked)}
      >
        <p className={styles.command}>
          <Foreign text={asked ? commandOf(asked.process) : ''} maxChars={300} />
        </p>
        <p>{asked && QUESTIONS[asked.what].words}</p>
      </ConfirmDialog>
    </div>
  );
}

const QUESTIONS = {
  stop: {
    title: 'Stop this process?',
    action: 'Stop',
    words: 'It and all that came from it get SIGTERM, and SIGKILL after five seconds.',
  },
  kill: {
    title: 'Kill this process?',
    action: 'Kill',
    words: 'It and all that came from it end at once, without a chance to save anything.',
  },
  remove: {
    title: 'Forget this process?',
    action: 'Forget',
    words: 'Its output is removed from the disk of the sandbox.',
  },
} as const;

interface ProcessRowProps {
  process: ProcessInfo;
  isSelected: boolean;
  onSelect: () => void;
}

function ProcessRow({ process, isSelected, onSelect }: ProcessRowProps) {
  const now = useNow(process.status === 'running');
  const age = (process.exitedAtMs ?? now) - process.createdAtMs;
  const command = commandOf(process);
  return (
    <button
      type="button"
      className={styles.row}
      aria-current={isSelected || undefined}
      title={foreign(command).slice(0, 400)}
      onClick={onSelect}
    >
      <span className={styles.glyph} data-state={stateOf(process)} aria-hidden />
      <span className={styles.words}>
        <Foreign text={command} maxChars={120} className={styles.name} />
        <span className={styles.facts}>
          {process.id} · {process.status === 'running' ? 'for ' : 'ran '}
          {formatElapsed(age)}
          {(process.outputBytes ?? 0) > 0 && ` · ${formatBytes(process.outputBytes ?? 0)}`}
          {process.tty && ' · terminal'}
          {process.actor && (
            <>
              {' · '}
              <Foreign text={process.actor} maxChars={40} />
            </>
          )}
        </span>
      </span>
      {process.status === 'exited' && <ExitBadge process={process} />}
    </button>
  );
}

/** As one would type it. */
export function commandOf(process: ProcessInfo): string {
  return isLoginShell(process) ? 'Login shell' : writtenCommand(process.command, process.args);
}

export function ExitBadge({ process }: { process: ProcessInfo }) {
  if (process.timedOut) return <Badge tone="err">timed out</Badge>;
  if (process.signal) return <Badge tone="err">{process.signal}</Badge>;
  if (process.exitCode == null) return <Badge>ended</Badge>;
  return <Badge tone={process.exitCode === 0 ? 'ok' : 'err'}>exit {process.exitCode}</Badge>;
}

function stateOf(process: ProcessInfo): 'running' | 'ok' | 'failed' {
  if (process.status === 'running') return 'running';
  return process.exitCode === 0 ? 'ok' : 'failed';
}
