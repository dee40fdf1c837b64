/** Where the token is given, when the address had none or the server no longer takes it. */
import { KeyRound } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { SandboxAgent } from 'sandbox-agent-client';
import { Banner, Button, Intro, Switch, TextField } from '../ui/index.ts';
import { appPlace, ownServerUrl, ROOT } from './base.ts';
import styles from './ConnectPage.module.css';
import { apiUrl, inspectorUrl, readServerUrl, saveServer } from './servers.ts';

interface ConnectPageProps {
  /** There was a token, and the server said no. */
  refused: boolean;
  connect(token: string, remember: boolean): void;
  /** Why a token is not taken; null when it is. */
  refusalOf?(token: string): Promise<string | null>;
}

/** Why a server does not take a token, in words; null when it does. */
async function serverRefusal(token: string): Promise<string | null> {
  const url = apiUrl(appPlace(ROOT, window.location.pathname).server);
  try {
    await new SandboxAgent({ url, token }).sessions.list({ limit: 1 });
    return null;
  } catch (error) {
    const status = typeof error === 'object' && error !== null && 'status' in error && error.status;
    if (status === 401) {
      return 'The server does not take this token.';
    }
    if (status === 403) {
      return null;
    }
    return error instanceof Error ? error.message : String(error);
  }
}

export function ConnectPage({ refused, connect, refusalOf = serverRefusal }: ConnectPageProps) {
  const own = ownServerUrl();
  const [url, setUrl] = useState(own);
  const [token, setToken] = useState('');
  const [remember, setRemember] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<{ field: 'url' | 'token'; text: string } | null>(null);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const server = readServerUrl(url);
    if (!server) {
      setProblem({ field: 'url', text: 'This is no address: it looks like http://host:2468.' });
      return;
    }
    // A whole ready link is as good as the token in it, in either field.
    const link = readServerUrl(token);
    const given = (link?.token ?? token.trim()) || server.token || '';
    if (given === '') {
      setProblem({ field: 'token', text: 'The server wants a token.' });
      return;
    }
    const target = link?.token ? link.url : server.url;
    if (target !== own) {
      saveServer(target);
      window.open(inspectorUrl(target, given), '_blank', 'noopener');
      return;
    }
    setBusy(true);
    const refusal = await refusalOf(given);
    setBusy(false);
    if (refusal) {
      setProblem({ field: 'token', text: refusal });
    } else {
      connect(given, remember);
    }
  };

  const elsewhere = readServerUrl(url);
  const isElsewhere = elsewhere !== null && elsewhere.url !== own;
  return (
    <main className={styles.page}>
      <form className={styles.card} onSubmit={submit} noValidate>
        <Intro icon={<KeyRound />} title="Connect to sandbox-agent">
          The server prints a ready link at its start. Open that, or paste its token here.
        </Intro>
        {refused && !problem ? (
          <Banner tone="err" title="The server no longer takes this token">
            <p>
              It may have been revoked, or the server started anew. What you have written is kept.
            </p>
          </Banner>
        ) : null}
        <TextField
          label="Server"
          value={url}
          onChange={(value) => {
            setUrl(value);
            setProblem(null);
          }}
          type="url"
          mono
          error={problem?.field === 'url' ? problem.text : null}
          description={isElsewhere ? 'Another server opens in a tab of its own.' : undefined}
        />
        <TextField
          label="Token"
          value={token}
          onChange={(value) => {
            setToken(value);
            setProblem(null);
          }}
          type="password"
          mono
          autoFocus
          autoComplete="current-password"
          error={problem?.field === 'token' ? problem.text : null}
        />
        <Switch
          isSelected={remember}
          onChange={setRemember}
          description="Else it is kept for this tab only. Whoever uses this browser, and a page of a port that you open through this server, could read it."
        >
          Remember it in this browser
        </Switch>
        <Button type="submit" look="primary" size="large" isDisabled={busy}>
          {busy ? 'Connecting…' : isElsewhere ? 'Open in a new tab' : 'Connect'}
        </Button>
        <details className={styles.help}>
          <summary>Where is the token?</summary>
          <p>
            <code>sandbox-agent-server</code> prints it at its start, in the line that begins with
            “Inspector”. <code>sandbox-agent ui</code> opens the Inspector with it.
          </p>
        </details>
      </form>
    </main>
  );
}
