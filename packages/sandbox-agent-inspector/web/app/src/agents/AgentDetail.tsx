import { Check, Download, Minus, Play } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { AgentInfo } from 'sandbox-agent-client';
import { useClient } from 'sandbox-agent-react';
import { navigate, paths } from '../shell/navigation.ts';
import { Badge, Button, Dialog, Foreign, TextField } from '../ui/index.ts';
import styles from './AgentDetail.module.css';
import { AgentOffers } from './AgentOffers.tsx';
import { ABILITIES, optionsOf, variablesOf } from './describing.ts';
import { InstallCard } from './InstallCard.tsx';
import { dismissInstall, followRunning, install, useInstall } from './installs.ts';

interface AgentDetailProps {
  agent: AgentInfo;
  onChanged: () => void;
}

export function AgentDetail({ agent, onChanged }: AgentDetailProps) {
  const client = useClient();
  const running = useInstall(client, agent.id);
  const [asksVersion, setAsksVersion] = useState(false);
  const title = agent.title || agent.id;
  const isBuiltIn = agent.version === 'builtin';
  const options = optionsOf(agent);

  // biome-ignore lint/correctness/useExhaustiveDependencies: asked once for each agent that is looked at
  useEffect(() => {
    followRunning(client, agent.id).then(
      (wasRunning) => wasRunning && onChanged(),
      () => undefined,
    );
  }, [client, agent.id]);

  const start = (wish: Parameters<typeof install>[2] = {}) =>
    void install(client, agent.id, wish).then(onChanged);

  return (
    <article className={styles.detail}>
      <header className={styles.header}>
        <div className={styles.titles}>
          <h1 className={styles.title}>
            <Foreign text={title} maxChars={80} />
          </h1>
          <p className={styles.facts}>
            <code>{agent.id}</code>
            {agent.installed ? (
              isBuiltIn ? (
                <Badge>part of the server</Badge>
              ) : (
                <Badge tone="ok">
                  installed <Foreign text={agent.version ?? ''} maxChars={40} />
                </Badge>
              )
            ) : (
              <Badge>not installed</Badge>
            )}
            {agent.serverStatus?.status === 'running' && <Badge tone="accent">at work</Badge>}
          </p>
        </div>
        <div className={styles.actions}>
          {!agent.installed ? (
            <Button
              look="primary"
              icon={<Download aria-hidden />}
              isDisabled={running?.state === 'running'}
              onPress={() => start()}
            >
              Install
            </Button>
          ) : (
            !isBuiltIn && (
              <Button
                isDisabled={running?.state === 'running'}
                onPress={() => setAsksVersion(true)}
              >
                Update…
              </Button>
            )
          )}
          {agent.installed && (
            <Button
              look="primary"
              icon={<Play aria-hidden />}
              onPress={() => navigate(paths.newSession({ agent: agent.id }))}
            >
              New session
            </Button>
          )}
        </div>
      </header>
      {running && (
        <InstallCard
          install={running}
          onRetry={() => start({ reinstall: true })}
          onDismiss={() => dismissInstall(client, agent.id)}
        />
      )}
      {!agent.installed && agent.installHint && (
        <p className={styles.hint}>
          By hand: <Foreign text={agent.installHint} maxChars={400} />
        </p>
      )}
      <Credentials agent={agent} />
      <section className={styles.section} aria-labelledby="agent-can">
        <h2 id="agent-can">What it can</h2>
        {agent.capabilities ? (
          <ul className={styles.abilities}>
            {ABILITIES.map(({ key, words }) => {
              const can = agent.capabilities?.[key] === true;
              return (
                <li key={key} data-can={can || undefined}>
                  {can ? <Check aria-hidden /> : <Minus aria-hidden />}
                  <span>
                    {words}
                    {!can && <span className="visually-hidden">: no</span>}
                  </span>
                </li>
              );
            })}
          </ul>
        ) : (
          <p className={styles.none}>The server does not tell.</p>
        )}
      </section>
      {agent.installed && <AgentOffers agent={agent} />}
      {options.length > 0 && (
        <section className={styles.section} aria-labelledby="agent-options">
          <h2 id="agent-options">Options of a session</h2>
          <dl className={styles.options}>
            {options.map((option) => (
              <div key={option.name} className={styles.option}>
                <dt>
                  <code>{option.name}</code>
                  <span className={styles.type}>{option.type}</span>
                  {!option.isAllowed && <Badge>not allowed here</Badge>}
                  {option.isRisky && <Badge tone="err">loosens rules</Badge>}
                </dt>
                <dd>{option.description}</dd>
              </div>
            ))}
          </dl>
        </section>
      )}
      {agent.path && !isBuiltIn && (
        <section className={styles.section} aria-labelledby="agent-program">
          <h2 id="agent-program">Program</h2>
          <p className={styles.path}>
            <Foreign text={agent.path} maxChars={300} />
          </p>
        </section>
      )}
      <VersionDialog
        title={`Update ${title}`}
        current={agent.version ?? null}
        isOpen={asksVersion}
        onClose={() => setAsksVersion(false)}
        onInstall={start}
      />
    </article>
  );
}

function Credentials({ agent }: { agent: AgentInfo }) {
  const found = agent.credentials ?? [];
  const variables = variablesOf(agent);
  if (agent.version === 'builtin') return null;
  return (
    <section className={styles.section} aria-labelledby="agent-credentials">
      <h2 id="agent-credentials">Credentials</h2>
      {found.length > 0 ? (
        <ul className={styles.credentials}>
          {found.map((one) => (
            <li key={`${one.source} ${one.provider}`}>
              <code>
                <Foreign text={one.source} maxChars={120} />
              </code>
              <span className={styles.type}>
                {[one.provider, one.kind === 'oauth' ? 'login' : one.kind && 'key']
                  .filter(Boolean)
                  .join(' · ')}
                {one.expiresAt && ` · until ${new Date(one.expiresAt).toLocaleString()}`}
              </span>
              {one.expired ? <Badge tone="err">expired</Badge> : <Badge tone="ok">found</Badge>}
              {one.problem && <p className={styles.problem}>{one.problem}</p>}
            </li>
          ))}
        </ul>
      ) : agent.credentialsAvailable === false ? (
        <div className={styles.words}>
          <p>None were found where this agent looks. A session will fail until there are some:</p>
          <ul className={styles.ways}>
            <li>
              set{' '}
              {variables.length > 0
                ? variables.map((name, index) => (
                    <span key={name}>
                      {index > 0 && ' or '}
                      <code>{name}</code>
                    </span>
                  ))
                : 'its variable'}{' '}
              where the server is started, or
            </li>
            <li>log in with the agent’s own program in a terminal here, or</li>
            <li>
              give a key to one session with <code>env</code>; the server keeps it in memory only.
            </li>
          </ul>
        </div>
      ) : (
        <p className={styles.none}>
          {agent.credentialsAvailable
            ? 'It needs none, or has its own.'
            : 'It is not known where this agent looks.'}
        </p>
      )}
    </section>
  );
}

interface VersionDialogProps {
  title: string;
  current: string | null;
  isOpen: boolean;
  onClose: () => void;
  onInstall: (wish: { version?: string; reinstall?: boolean }) => void;
}

function VersionDialog({ title, current, isOpen, onClose, onInstall }: VersionDialogProps) {
  const [version, setVersion] = useState('');
  const go = (wish: { version?: string; reinstall?: boolean }) => {
    onClose();
    onInstall(wish);
  };
  return (
    <Dialog
      title={title}
      size="small"
      isOpen={isOpen}
      onOpenChange={(open) => !open && onClose()}
      footer={
        <>
          <Button onPress={() => go({ version: 'latest' })}>Install the newest</Button>
          <Button
            look="primary"
            onPress={() => go(version.trim() ? { version: version.trim() } : { reinstall: true })}
          >
            {version.trim() ? 'Install' : 'Install the tested one'}
          </Button>
        </>
      }
    >
      <TextField
        label="Version"
        value={version}
        onChange={setVersion}
        placeholder="the one that this server was tested with"
        description={current ? `Now it is ${current}. What runs goes on with it.` : undefined}
        mono
        autoFocus
        autoComplete="off"
      />
    </Dialog>
  );
}
