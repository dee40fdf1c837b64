/** Open the Inspector of another server. */
import { useState } from 'react';
import { Button, Dialog, TextField } from '../ui/index.ts';
import styles from './ConnectDialog.module.css';
import { inspectorUrl, readServerUrl, saveServer } from './servers.ts';

interface ConnectDialogProps {
  isOpen: boolean;
  onOpenChange(isOpen: boolean): void;
}

export function ConnectDialog({ isOpen, onOpenChange }: ConnectDialogProps) {
  const [url, setUrl] = useState('');
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<string | null>(null);

  const open = () => {
    const server = readServerUrl(url);
    if (!server) {
      setProblem('This is no address: it looks like https://host:2468.');
      return;
    }
    saveServer(server.url);
    window.open(inspectorUrl(server.url, token.trim() || server.token), '_blank', 'noopener');
    setUrl('');
    setToken('');
    onOpenChange(false);
  };

  return (
    <Dialog
      title="Connect to a server"
      size="small"
      isOpen={isOpen}
      onOpenChange={onOpenChange}
      footer={
        <>
          <Button onPress={() => onOpenChange(false)}>Cancel</Button>
          <Button look="primary" type="submit" form="connect-to-server">
            Open in a new tab
          </Button>
        </>
      }
    >
      <form
        id="connect-to-server"
        className={styles.form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          open();
        }}
      >
        <p className={styles.lead}>
          Its Inspector opens in a tab of its own. To have all of your sandboxes in one, run{' '}
          <code>sandbox-agent ui</code>.
        </p>
        <TextField
          label="Server"
          description="An address, or the whole ready link that the server printed"
          value={url}
          onChange={(value) => {
            setUrl(value);
            setProblem(null);
          }}
          error={problem}
          type="url"
          mono
          autoFocus
        />
        <TextField
          label="Token"
          description="Handed over in the fragment of the address, which no server sees; not kept here"
          value={token}
          onChange={setToken}
          type="password"
          mono
          autoComplete="off"
        />
      </form>
    </Dialog>
  );
}
