/** What the chosen agent lacks, and the way to it. */

import { useEffect, useRef, useState } from 'react';
import type { AgentInfo } from 'sandbox-agent-client';
import { foreign, useClient } from 'sandbox-agent-react';
import { Banner, Button } from '../../ui/index.ts';
import { installWords } from './create-session.ts';
import { StepBar } from './StepBar.tsx';

interface AgentStateProps {
  agent: AgentInfo;
  onInstalled(): void;
}

export function AgentState({ agent, onInstalled }: AgentStateProps) {
  if (!agent.installed) {
    return <InstallOffer agent={agent} onInstalled={onInstalled} />;
  }
  const bad = agent.credentials?.find((each) => each.problem);
  if (agent.credentialsAvailable === false || bad?.problem) {
    return (
      <Banner title={bad?.problem ? 'Its credentials' : 'No credentials were found for it'}>
        <p>
          {bad?.problem
            ? foreign(bad.problem)
            : 'Put a key into the environment of the server, log in with the agent there, or give one for this session below, under Environment.'}
        </p>
      </Banner>
    );
  }
  return null;
}

function InstallOffer({ agent, onInstalled }: AgentStateProps) {
  const client = useClient();
  const [progress, setProgress] = useState<{ label: string; done: number | null } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);

  const install = async () => {
    setProblem(null);
    setProgress({ label: 'Installing', done: null });
    stop.current = new AbortController();
    try {
      for await (const each of client.agents.install(
        agent.id,
        {},
        { signal: stop.current.signal },
      )) {
        setProgress(installWords(each));
      }
      onInstalled();
    } catch (error) {
      if (!stop.current.signal.aborted) {
        setProblem(error instanceof Error ? error.message : String(error));
      }
    } finally {
      setProgress(null);
    }
  };

  if (progress) {
    return <StepBar {...progress} />;
  }
  return (
    <Banner
      tone={problem ? 'err' : 'neutral'}
      title={problem ? 'It could not be installed' : `${agent.title || agent.id} is not installed`}
      actions={
        <Button size="small" onPress={install}>
          {problem ? 'Try again' : 'Install'}
        </Button>
      }
    >
      <p>
        {problem
          ? foreign(problem)
          : 'It is also installed when the session is made, which takes longer then.'}
      </p>
      {problem && agent.installHint ? <p>{foreign(agent.installHint)}</p> : null}
    </Banner>
  );
}
