import { type ReactNode, useEffect, useState } from 'react';
import type { AgentInfo, Connection, Health } from 'sandbox-agent-client';
import { durationLabel, formatCount, useClient, useServer } from 'sandbox-agent-react';
import { navigate, paths } from '../shell/navigation.ts';
import { Badge, Banner, Button, Foreign, Skeleton, type Tone } from '../ui/index.ts';
import styles from './ServerPage.module.css';
import { useLoaded } from './useLoaded.ts';
import { compareVersions, INSPECTOR_VERSION } from './versions.ts';

const CONNECTIONS: Record<Connection['state'], { words: string; tone: Tone }> = {
  connecting: { words: 'connecting', tone: 'neutral' },
  live: { words: 'live', tone: 'ok' },
  reconnecting: { words: 'reconnecting', tone: 'info' },
  offline: { words: 'offline', tone: 'err' },
  unauthorized: { words: 'token refused', tone: 'err' },
};

const REFRESH_MS = 10_000;

/** How the server is, asked again while somebody looks. */
export function HealthSection() {
  const client = useClient();
  const { connection, sessions, requests } = useServer();
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTurn((old) => old + 1), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const health = useLoaded((signal) => client.health({ signal }), [client, turn]);
  const agents = useLoaded(() => client.agents.list(), [client]);
  const { words, tone } = CONNECTIONS[connection.state];
  const running = sessions.filter((session) =>
    ['running', 'waiting', 'background', 'starting'].includes(session.status),
  ).length;
  return (
    <div className={styles.section}>
      {health.problem && (
        <Banner tone="err" title="The server does not say how it is">
          {health.problem.message}
        </Banner>
      )}
      <VersionNote version={health.value?.version ?? null} />
      <dl className={styles.facts}>
        <Fact name="Connection">
          <Badge tone={tone}>{words}</Badge> <Since connection={connection} />
        </Fact>
        <Fact name="Address">
          <Foreign text={client.url} />
        </Fact>
        <HealthFacts health={health.value} />
        <Fact name="Inspector">{INSPECTOR_VERSION}</Fact>
        <Fact name="Sessions">
          {formatCount(sessions.length)}, {running} at work, {requests.length} waiting for you
        </Fact>
      </dl>
      <h2 className={styles.title}>Agents</h2>
      {agents.problem && <Banner tone="err">{agents.problem.message}</Banner>}
      {!agents.value && !agents.problem && <Skeleton lines={[60, 50, 55]} />}
      {agents.value && <Agents agents={agents.value.agents} />}
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={styles.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** What is known today, and whatever else a server tells of itself. */
function HealthFacts({ health }: { health: Health | null }) {
  if (!health) return null;
  const { status, version, uptimeS, heartbeatS, ...others } = health;
  return (
    <>
      <Fact name="Status">{status}</Fact>
      {version && <Fact name="Version">{version}</Fact>}
      {uptimeS != null && <Fact name="Up for">{durationLabel(uptimeS * 1000)}</Fact>}
      {heartbeatS != null && <Fact name="Heartbeat">every {heartbeatS} s</Fact>}
      {Object.entries(others).map(([name, value]) => (
        <Fact key={name} name={name}>
          <Foreign text={typeof value === 'string' ? value : JSON.stringify(value)} />
        </Fact>
      ))}
    </>
  );
}

function Since({ connection }: { connection: Connection }) {
  const time = new Date(connection.since);
  const clock = time.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  return (
    <span className={styles.muted}>
      since {clock}
      {connection.attempt > 0 && `, try ${connection.attempt}`}
      {connection.reason && `: ${connection.reason}`}
    </span>
  );
}

function VersionNote({ version }: { version: string | null }) {
  if (!version) return null;
  const compared = compareVersions(version, INSPECTOR_VERSION);
  if (compared === 'same') return null;
  return (
    <Banner tone="info" title={`The server is ${compared} than this Inspector`}>
      It is {version}, this is {INSPECTOR_VERSION}. What one has and the other does not know is left
      out{compared === 'older' ? '; update the server to have it' : '; reload the page to have it'}.
    </Banner>
  );
}

function Agents({ agents }: { agents: readonly AgentInfo[] }) {
  return (
    <ul className={styles.list}>
      {agents.map((agent) => (
        <li key={agent.id} className={`${styles.line} ${styles.agent}`}>
          <span className={styles.grow}>
            <Foreign text={agent.title || agent.id} />
          </span>
          <span className={styles.muted}>
            {agent.installed && agent.version ? <Foreign text={agent.version} /> : null}
          </span>
          <Badge tone={agent.installed ? 'ok' : 'neutral'}>
            {agent.installed ? 'installed' : 'not installed'}
          </Badge>
          <Button size="small" look="quiet" onPress={() => navigate(paths.agents(agent.id))}>
            Details
          </Button>
        </li>
      ))}
    </ul>
  );
}
