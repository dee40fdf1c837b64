import { useCallback, useEffect, useState } from 'react';
import type { AgentConfig, AgentInfo } from 'sandbox-agent-client';
import { useClient } from 'sandbox-agent-react';
import { Badge, Button, Foreign, Skeleton } from '../ui/index.ts';
import styles from './AgentDetail.module.css';
import { type Named, namedOf } from './describing.ts';

type Shown =
  | { state: 'loading' }
  | { state: 'ready'; config: AgentConfig }
  | { state: 'failed'; problem: string };

const FEW = 8;

/** Models, modes and thought levels, as the agent itself reports them: it is started for that, once. */
export function AgentOffers({ agent }: { agent: AgentInfo }) {
  const client = useClient();
  const [shown, setShown] = useState<Shown>({ state: 'loading' });
  const load = useCallback(
    async (signal?: AbortSignal) => {
      setShown({ state: 'loading' });
      try {
        const { config, configError } = await client.agents.get(agent.id, {
          config: true,
          ...(signal ? { signal } : {}),
        });
        if (signal?.aborted) return;
        if (config) setShown({ state: 'ready', config });
        else
          setShown({
            state: 'failed',
            problem:
              typeof configError?.detail === 'string' ? configError.detail : 'It did not say.',
          });
      } catch (error) {
        if (!signal?.aborted)
          setShown({ state: 'failed', problem: error instanceof Error ? error.message : '' });
      }
    },
    [client, agent.id],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: another version offers other things
  useEffect(() => {
    const stop = new AbortController();
    void load(stop.signal);
    return () => stop.abort();
  }, [load, agent.version]);

  return (
    <section
      className={styles.section}
      aria-labelledby="agent-offers"
      aria-busy={shown.state === 'loading'}
    >
      <h2 id="agent-offers">Models and modes</h2>
      {shown.state === 'loading' && (
        <>
          <Skeleton lines={[40, 55, 32]} />
          <p className={styles.none}>Asking the agent…</p>
        </>
      )}
      {shown.state === 'failed' && (
        <div className={styles.words}>
          <p className={styles.problem}>
            The agent did not say: <Foreign text={shown.problem} maxChars={600} />
          </p>
          <div>
            <Button size="small" onPress={() => void load()}>
              Ask again
            </Button>
          </div>
        </div>
      )}
      {shown.state === 'ready' && isSilent(shown.config) && (
        <p className={styles.none}>It offers no choice of model or mode.</p>
      )}
      {shown.state === 'ready' && (
        <div className={styles.offers}>
          <Offers title="Models" list={namedOf(shown.config.models)} chosen={shown.config.model} />
          <Offers title="Modes" list={namedOf(shown.config.modes)} chosen={shown.config.mode} />
          <Offers
            title="Thought levels"
            list={namedOf(shown.config.thoughtLevels)}
            chosen={shown.config.thoughtLevel}
          />
        </div>
      )}
    </section>
  );
}

function isSilent({ models, modes, thoughtLevels }: AgentConfig): boolean {
  return [models, modes, thoughtLevels].every((list) => namedOf(list).length === 0);
}

interface OffersProps {
  title: string;
  list: readonly Named[];
  chosen: string | null | undefined;
}

function Offers({ title, list, chosen }: OffersProps) {
  const [isWhole, setWhole] = useState(false);
  if (list.length === 0) return null;
  const shown = isWhole ? list : list.slice(0, FEW);
  return (
    <div>
      <h3 className={styles.kind}>
        {title} · {list.length}
      </h3>
      <ul>
        {shown.map((one) => (
          <li key={one.id} className={styles.offer}>
            <span className={styles.offerName}>
              <Foreign text={one.name} maxChars={80} />
              {one.id === chosen && <Badge>default</Badge>}
            </span>
            <span className={styles.offerFacts}>
              {one.name !== one.id && (
                <code>
                  <Foreign text={one.id} maxChars={60} />
                </code>
              )}
              {one.description && <Foreign text={one.description} maxChars={200} />}
            </span>
          </li>
        ))}
      </ul>
      {list.length > FEW && (
        <Button size="small" look="quiet" onPress={() => setWhole(!isWhole)}>
          {isWhole ? 'Show fewer' : `Show all ${list.length}`}
        </Button>
      )}
    </div>
  );
}
