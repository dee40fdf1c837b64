/** Which agent: those that are there first, each with what it lacks. */

import { useState } from 'react';
import { Label, Radio, RadioGroup, Text } from 'react-aria-components';
import type { AgentInfo } from 'sandbox-agent-client';
import { Button, Foreign, Skeleton } from '../../ui/index.ts';
import styles from './AgentPicker.module.css';

/** In one line: its version, and what is missing. */
export function agentLine(agent: AgentInfo): string {
  if (!agent.installed) {
    return 'not installed';
  }
  // Without a version it is a command of the server's configuration.
  const version = agent.version === 'builtin' ? 'built in' : agent.version || 'configured';
  return agent.credentialsAvailable === false ? `${version} · no credentials` : version;
}

/** Ready ones first, then those without credentials, then those that are not installed; each by name. */
export function orderedAgents(agents: readonly AgentInfo[]): readonly AgentInfo[] {
  const rank = (agent: AgentInfo) =>
    agent.id === 'mock' ? 2 : !agent.installed ? 3 : agent.credentialsAvailable === false ? 1 : 0;
  const name = (agent: AgentInfo) => agent.title || agent.id;
  return agents.toSorted((a, b) => rank(a) - rank(b) || name(a).localeCompare(name(b)));
}

interface AgentPickerProps {
  agents: readonly AgentInfo[] | null;
  selected: string;
  problem: string | undefined;
  onSelect(id: string): void;
}

export function AgentPicker({ agents, selected, problem, onSelect }: AgentPickerProps) {
  const [showsAll, setShowsAll] = useState(false);
  if (agents === null) {
    return <Skeleton lines={[100, 100]} />;
  }
  const ordered = orderedAgents(agents);
  const isShown = (agent: AgentInfo) => showsAll || agent.installed || agent.id === selected;
  const hidden = ordered.filter((each) => !isShown(each)).length;
  return (
    <RadioGroup
      className={styles.group}
      value={selected || null}
      onChange={onSelect}
      isInvalid={problem !== undefined}
    >
      <Label className={styles.label}>Agent</Label>
      <div className={styles.cards}>
        {ordered.filter(isShown).map((agent) => (
          <Radio key={agent.id} value={agent.id} className={styles.card}>
            <span className={styles.name}>
              <Foreign text={agent.title || agent.id} maxChars={28} />
            </span>
            <span className={styles.line}>{agentLine(agent)}</span>
          </Radio>
        ))}
        {hidden > 0 ? (
          <Button className={styles.more ?? ''} look="quiet" onPress={() => setShowsAll(true)}>
            {hidden} more…
          </Button>
        ) : null}
      </div>
      {problem ? (
        <Text slot="errorMessage" className={styles.problem}>
          {problem}
        </Text>
      ) : null}
    </RadioGroup>
  );
}
