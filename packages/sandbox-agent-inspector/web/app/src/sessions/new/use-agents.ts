/** The agents of the server, and what the chosen one offers. */

import { useCallback, useEffect, useState } from 'react';
import type { AgentInfo } from 'sandbox-agent-client';
import { useClient } from 'sandbox-agent-react';

export interface AgentDetails {
  info: AgentInfo | null;
  isLoading: boolean;
  problem: string | null;
}

const words = (error: unknown) => (error instanceof Error ? error.message : String(error));

export function useAgents() {
  const client = useClient();
  const [agents, setAgents] = useState<readonly AgentInfo[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const load = useCallback(async () => {
    try {
      setAgents((await client.agents.list()).agents);
      setProblem(null);
    } catch (error) {
      setProblem(words(error));
    }
  }, [client]);
  useEffect(() => {
    void load();
  }, [load]);
  return { agents, problem, reload: load };
}

/** The server starts the agent for it, once: it may take seconds, and the dialog does not wait. */
export function useAgentDetails(agent: AgentInfo | undefined): AgentDetails {
  const client = useClient();
  const [known, setKnown] = useState<ReadonlyMap<string, AgentDetails>>(new Map());
  const key = agent?.installed ? `${agent.id} ${agent.version ?? ''}` : null;
  const name = agent?.id ?? '';
  useEffect(() => {
    if (key === null) {
      return;
    }
    const stop = new AbortController();
    const keep = (details: AgentDetails) => {
      if (!stop.signal.aborted) {
        setKnown((before) => new Map(before).set(key, details));
      }
    };
    client.agents.get(name, { config: true, signal: stop.signal }).then(
      (info) => {
        const detail = info.configError?.detail;
        keep({ info, isLoading: false, problem: typeof detail === 'string' ? detail : null });
      },
      (error: unknown) => keep({ info: null, isLoading: false, problem: words(error) }),
    );
    return () => stop.abort();
  }, [client, key, name]);
  return (
    (key === null ? undefined : known.get(key)) ?? {
      info: null,
      isLoading: key !== null,
      problem: null,
    }
  );
}
