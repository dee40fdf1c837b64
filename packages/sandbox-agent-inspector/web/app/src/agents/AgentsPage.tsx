import { Bot, ChevronLeft, RefreshCw } from 'lucide-react';
import { useCallback, useEffect, useState } from 'react';
import type { AgentInfo } from 'sandbox-agent-client';
import { useClient } from 'sandbox-agent-react';
import { navigate, paths, useRoute } from '../shell/navigation.ts';
import { Button, EmptyState, Foreign, IconButton, SearchField, Skeleton } from '../ui/index.ts';
import { AgentDetail } from './AgentDetail.tsx';
import styles from './AgentsPage.module.css';
import { STATE_WORDS, stateOf } from './describing.ts';

/** Agents: which there are, whether they can work here, and what they can. */
export function AgentsPage() {
  const client = useClient();
  const route = useRoute();
  const chosen = route.room === 'agents' ? route.name : null;
  const [agents, setAgents] = useState<readonly AgentInfo[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [query, setQuery] = useState('');

  const load = useCallback(async () => {
    try {
      setAgents((await client.agents.list()).agents);
      setProblem(null);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  }, [client]);
  useEffect(() => {
    void load();
  }, [load]);

  if (agents === null)
    return problem ? (
      <EmptyState
        title="The agents cannot be told"
        actions={<Button onPress={() => void load()}>Try again</Button>}
      >
        {problem}
      </EmptyState>
    ) : (
      <div className={styles.loading}>
        <Skeleton lines={[34, 52, 41, 60, 38]} />
      </div>
    );

  const wanted = query.trim().toLowerCase();
  const shown = agents.filter((one) => `${one.id} ${one.title}`.toLowerCase().includes(wanted));
  const groups = [
    { title: 'Ready', agents: shown.filter((one) => stateOf(one) === 'ready') },
    {
      title: 'Without credentials',
      agents: shown.filter((one) => stateOf(one) === 'noCredentials'),
    },
    { title: 'Not installed', agents: shown.filter((one) => stateOf(one) === 'missing') },
  ].filter((group) => group.agents.length > 0);
  const selected = agents.find((one) => one.id === chosen) ?? null;
  const first = groups[0]?.agents[0] ?? null;
  const detail = selected ?? (chosen === null ? first : null);

  return (
    <div className={styles.page}>
      <div className={styles.split} data-showing={selected ? 'detail' : 'list'}>
        <nav className={styles.side} aria-label="Agents">
          <div className={styles.bar}>
            <SearchField
              label="Search agents"
              value={query}
              onChange={setQuery}
              className={styles.search}
            />
            <IconButton label="Read again" onPress={() => void load()}>
              <RefreshCw />
            </IconButton>
          </div>
          <div className={styles.list}>
            {groups.length === 0 && <EmptyState icon={<Bot />} title="No agent is called that" />}
            {groups.map((group) => (
              <section key={group.title} aria-label={group.title}>
                <h3 className={styles.heading}>
                  {group.title} · {group.agents.length}
                </h3>
                {group.agents.map((one) => (
                  <button
                    key={one.id}
                    type="button"
                    className={styles.row}
                    aria-current={one.id === detail?.id ? 'page' : undefined}
                    onClick={() => navigate(paths.agents(one.id))}
                  >
                    <span className={styles.glyph} data-state={stateOf(one)} aria-hidden />
                    <span className={styles.name}>
                      <Foreign text={one.title || one.id} maxChars={60} />
                    </span>
                    <span className={styles.version}>
                      {one.installed ? (
                        <Foreign
                          text={one.version === 'builtin' ? 'built in' : (one.version ?? '')}
                          maxChars={18}
                        />
                      ) : (
                        <span className="visually-hidden">{STATE_WORDS.missing}</span>
                      )}
                    </span>
                  </button>
                ))}
              </section>
            ))}
          </div>
        </nav>
        <div className={styles.main}>
          {selected && (
            <span className={styles.back}>
              <Button
                look="quiet"
                size="small"
                icon={<ChevronLeft aria-hidden />}
                onPress={() => navigate(paths.agents())}
              >
                Agents
              </Button>
            </span>
          )}
          {detail ? (
            <AgentDetail key={detail.id} agent={detail} onChanged={() => void load()} />
          ) : (
            <EmptyState icon={<Bot />} title="There is no such agent">
              <p>
                This server has none that is called <Foreign text={chosen ?? ''} maxChars={60} />.
              </p>
            </EmptyState>
          )}
        </div>
      </div>
    </div>
  );
}
