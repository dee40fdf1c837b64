/** All that can be done with a session from the list. */
import {
  Copy,
  Ellipsis,
  GitFork,
  Link2,
  Pencil,
  Play,
  Square,
  SquareTerminal,
  Trash2,
} from 'lucide-react';
import { useState } from 'react';
import type { SessionInfo } from 'sandbox-agent-client';
import { foreign, useClient, useServerStore } from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import { linkTo, navigate, paths } from '../shell/navigation.ts';
import { notify } from '../shell/notify.tsx';
import {
  Button,
  ConfirmDialog,
  Dialog,
  IconButton,
  Menu,
  type MenuGroup,
  TextField,
} from '../ui/index.ts';
import { isRunning } from './grouping.ts';
import { titleOf } from './naming.ts';
import styles from './SessionMenu.module.css';
import { shellQuoted } from './shell-quoting.ts';

interface SessionMenuProps {
  session: SessionInfo;
  isOpen: boolean;
  onOpenChange(isOpen: boolean): void;
  /** Whether Tab comes here. */
  isReachable: boolean;
}

type Asked = 'rename' | 'end' | 'purge' | null;

function entriesOf(session: SessionInfo): readonly MenuGroup[] {
  const hasEnded = session.status === 'ended';
  const wakes = hasEnded || session.status === 'dormant';
  const isDamaged = session.status === 'damaged';
  const icon = { size: 16 };
  return [
    {
      id: 'work',
      entries: [
        { id: 'rename', label: 'Rename…', icon: <Pencil {...icon} />, disabled: isDamaged },
        { id: 'fork', label: 'Fork', icon: <GitFork {...icon} />, disabled: isDamaged },
        ...(wakes ? [{ id: 'resume', label: 'Resume', icon: <Play {...icon} /> }] : []),
      ],
    },
    {
      id: 'copy',
      entries: [
        { id: 'link', label: 'Copy link', icon: <Link2 {...icon} /> },
        { id: 'id', label: 'Copy id', icon: <Copy {...icon} /> },
        { id: 'command', label: 'Copy CLI command', icon: <SquareTerminal {...icon} /> },
      ],
    },
    {
      id: 'end',
      entries: [
        ...(hasEnded ? [] : [{ id: 'end', label: 'End…', icon: <Square {...icon} /> }]),
        { id: 'purge', label: 'Delete…', icon: <Trash2 {...icon} />, danger: true },
      ],
    },
  ];
}

export function SessionMenu({ session, isOpen, onOpenChange, isReachable }: SessionMenuProps) {
  const client = useClient();
  const store = useServerStore();
  const [asked, setAsked] = useState<Asked>(null);
  const name = foreign(titleOf(session));
  const { id } = session;

  const attempt = async (what: string, work: () => Promise<unknown>) => {
    try {
      await work();
      store.refreshSession(id);
    } catch (error) {
      notify({
        title: `${what} failed`,
        detail: error instanceof Error ? foreign(error.message) : String(error),
        tone: 'error',
      });
    }
  };

  const act = (action: string) => {
    switch (action) {
      case 'rename':
      case 'end':
      case 'purge':
        setAsked(action);
        break;
      case 'fork':
        void attempt('Forking', async () => {
          const fork = await client.sessions.fork(id, {});
          navigate(paths.session(fork.id));
        });
        break;
      case 'resume':
        void attempt('Resuming', () => client.sessions.resume(id));
        break;
      case 'link':
        void copyText(linkTo(paths.session(id)), 'Link');
        break;
      case 'id':
        void copyText(id, 'Id');
        break;
      case 'command':
        void copyText(
          `sandbox-agent attach ${shellQuoted(client.url)} --session ${shellQuoted(id)}`,
          'Command',
        );
        break;
    }
  };

  return (
    <>
      <div className={styles.trigger} data-open={isOpen || undefined}>
        <Menu
          label={`Actions for ${name}`}
          placement="bottom end"
          isOpen={isOpen}
          onOpenChange={onOpenChange}
          groups={entriesOf(session)}
          onAction={act}
          trigger={
            <IconButton
              label={`Actions for ${name.slice(0, 80)}`}
              size="small"
              excludeFromTabOrder={!isReachable}
            >
              <Ellipsis size={16} />
            </IconButton>
          }
        />
      </div>
      {asked === 'rename' ? (
        <RenameDialog
          title={session.title ?? ''}
          onClose={() => setAsked(null)}
          onRename={(title) => void attempt('Renaming', () => client.sessions.patch(id, { title }))}
        />
      ) : null}
      <ConfirmDialog
        title={`End “${name.slice(0, 60)}”?`}
        action="End the session"
        isOpen={asked === 'end'}
        onOpenChange={() => setAsked(null)}
        onConfirm={() => void attempt('Ending', () => client.sessions.end(id))}
      >
        <p>
          {isRunning(session) ? 'What it is doing now is stopped. ' : ''}
          Its conversation stays, and it can be resumed.
        </p>
      </ConfirmDialog>
      <ConfirmDialog
        title={`Delete “${name.slice(0, 60)}”?`}
        action="Delete for good"
        danger
        isOpen={asked === 'purge'}
        onOpenChange={() => setAsked(null)}
        onConfirm={() =>
          void attempt('Deleting', async () => {
            await client.sessions.end(id, { purge: true });
            if (`${window.location.pathname}/`.includes(`${paths.session(id)}/`)) {
              navigate(paths.sessions());
            }
          })
        }
      >
        <p>
          The session ends, and its conversation is removed from the server. This cannot be undone.
          Files in its folder stay.
        </p>
      </ConfirmDialog>
    </>
  );
}

interface RenameDialogProps {
  title: string;
  onClose(): void;
  onRename(title: string): void;
}

function RenameDialog({ title, onClose, onRename }: RenameDialogProps) {
  const [value, setValue] = useState(title);
  return (
    <Dialog
      title="Rename the session"
      size="small"
      isOpen
      onOpenChange={onClose}
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="rename-session">
            Rename
          </Button>
        </>
      }
    >
      <form
        id="rename-session"
        onSubmit={(event) => {
          event.preventDefault();
          onClose();
          onRename(value.trim());
        }}
      >
        <TextField
          label="Title"
          description="Empty: as the agent calls it"
          value={value}
          onChange={setValue}
          autoFocus
          maxLength={200}
        />
      </form>
    </Dialog>
  );
}
