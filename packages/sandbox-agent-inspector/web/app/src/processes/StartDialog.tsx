import { useState } from 'react';
import { environmentOf, useClient } from 'sandbox-agent-react';
import { Button, Dialog, Disclosure, Switch, TextField } from '../ui/index.ts';
import styles from './StartDialog.module.css';

interface StartDialogProps {
  isOpen: boolean;
  onClose: () => void;
  onStarted: (id: string) => Promise<void>;
}

/** A line for a shell, and where it is to run. */
export function StartDialog({ isOpen, onClose, onStarted }: StartDialogProps) {
  const client = useClient();
  const [command, setCommand] = useState('');
  const [cwd, setCwd] = useState('');
  const [environment, setEnvironment] = useState('');
  const [tty, setTty] = useState(false);
  const [isMore, setMore] = useState(false);
  const [problem, setProblem] = useState<{ field: string; words: string } | null>(null);
  const [isBusy, setBusy] = useState(false);

  const start = async () => {
    if (isBusy) return;
    if (command.trim() === '') {
      setProblem({ field: 'command', words: 'Type a command.' });
      return;
    }
    let env: Record<string, string>;
    try {
      env = environmentOf(environment);
    } catch (error) {
      setMore(true);
      setProblem({ field: 'env', words: error instanceof Error ? error.message : '' });
      return;
    }
    setBusy(true);
    try {
      const made = await client.processes.create({
        command: 'sh',
        args: ['-c', command],
        cwd: cwd.trim() === '' ? null : cwd.trim(),
        env,
        tty,
      });
      await onStarted(made.id);
      setCommand('');
      setProblem(null);
      onClose();
    } catch (error) {
      setProblem({
        field: 'command',
        words: error instanceof Error ? error.message : String(error),
      });
    } finally {
      setBusy(false);
    }
  };

  const errorOf = (field: string) => (problem?.field === field ? problem.words : null);
  return (
    <Dialog
      title="Start a process"
      isOpen={isOpen}
      onOpenChange={(open) => !open && onClose()}
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button look="primary" isDisabled={isBusy} onPress={() => void start()}>
            Start
          </Button>
        </>
      }
    >
      <div className={styles.form}>
        <TextField
          label="Command"
          value={command}
          onChange={(value) => {
            setCommand(value);
            setProblem(null);
          }}
          placeholder="npm run dev"
          description="A line for sh."
          error={errorOf('command')}
          mono
          autoFocus
          autoComplete="off"
          onKeyDown={(event) => {
            if (event.key === 'Enter' && !event.nativeEvent.isComposing) void start();
          }}
        />
        <TextField
          label="Folder"
          value={cwd}
          onChange={setCwd}
          placeholder="where the server was started"
          mono
          autoComplete="off"
        />
        <Disclosure summary="More" isOpen={isMore} onToggle={setMore}>
          <div className={styles.form}>
            <TextField
              label="Environment"
              value={environment}
              onChange={(value) => {
                setEnvironment(value);
                setProblem(null);
              }}
              placeholder="PORT=3000"
              description="One NAME=value in each line, on top of the server’s own."
              error={errorOf('env')}
              rows={3}
              mono
            />
            <Switch
              isSelected={tty}
              onChange={setTty}
              description="For programs that draw, ask, or colour their output only there."
            >
              On a terminal
            </Switch>
          </div>
        </Disclosure>
      </div>
    </Dialog>
  );
}
