/** Model, mode and thought level: what the agent itself reports. */
import type { AgentInfo } from 'sandbox-agent-client';
import { foreign } from 'sandbox-agent-react';
import { type Option, Skeleton, TextField } from '../../ui/index.ts';
import { editDraft } from './choices.ts';
import type { FieldProblems, SessionDraft } from './draft.ts';
import { OptionalSelect } from './OptionalSelect.tsx';
import styles from './SettingsFields.module.css';
import type { AgentDetails } from './use-agents.ts';

/** Modes that every agent has, in words. */
const COMMON_MODES: Record<string, { label: string; description: string }> = {
  ask: { label: 'Ask', description: 'Asks before it changes or runs something' },
  'accept-edits': { label: 'Accept edits', description: 'Edits without asking, asks for the rest' },
  'read-only': { label: 'Read only', description: 'Changes nothing' },
  plan: { label: 'Plan', description: 'Looks and plans, and changes nothing' },
  bypass: { label: 'Bypass', description: 'Never asks' },
};

type Reported = readonly { [name: string]: unknown }[] | undefined;

function optionsOf(all: Reported): Option[] {
  return (all ?? []).flatMap((each) => {
    const { id, name, description } = each;
    if (typeof id !== 'string') {
      return [];
    }
    return [
      {
        id,
        label: foreign(typeof name === 'string' && name ? name : id),
        ...(typeof description === 'string' ? { description: foreign(description) } : {}),
      },
    ];
  });
}

/** The common ones, then those of its own, which have a prefix where the names are the same. */
export function modeOptions(agent: AgentInfo, own: Reported): readonly Option[] {
  const common = (agent.permissionModes ?? []).map((id) => ({
    id,
    label: COMMON_MODES[id]?.label ?? id,
    description: COMMON_MODES[id]?.description ?? '',
  }));
  const taken = new Set(common.map((each) => each.id));
  const others = optionsOf(own).map((each) => ({
    ...each,
    id: taken.has(each.id) ? `native:${each.id}` : each.id,
    label: `${each.label} (${agent.title || agent.id})`,
  }));
  return [...common, ...others];
}

function labelled(options: readonly Option[], id: string | null | undefined): string {
  const found = options.find((each) => each.id === id);
  return found ? `Default (${found.label})` : 'Default';
}

interface SettingsFieldsProps {
  agent: AgentInfo;
  details: AgentDetails;
  draft: SessionDraft;
  problems: FieldProblems;
}

export function SettingsFields({ agent, details, draft, problems }: SettingsFieldsProps) {
  const config = details.info?.config;
  const models = optionsOf(config?.models);
  const levels = optionsOf(config?.thoughtLevels);
  if (details.isLoading && agent.installed) {
    return (
      <div className={styles.loading}>
        <Skeleton lines={[100]} />
        <span>Asking {agent.title || agent.id} what it offers…</span>
      </div>
    );
  }
  return (
    <>
      <div className={styles.settings}>
        {models.length > 0 ? (
          <OptionalSelect
            label="Model"
            none={labelled(models, config?.model)}
            value={draft.model}
            options={models}
            onChange={(model) => editDraft({ model })}
            error={problems.model ?? null}
          />
        ) : (
          <TextField
            label="Model"
            placeholder="Default"
            value={draft.model}
            onChange={(model) => editDraft({ model })}
            error={problems.model ?? null}
          />
        )}
        <OptionalSelect
          label="Mode"
          none="Default (Ask)"
          value={draft.mode}
          options={modeOptions(agent, config?.modes)}
          onChange={(mode) => editDraft({ mode })}
          error={problems.mode ?? null}
        />
        {levels.length > 0 ? (
          <OptionalSelect
            label="Thought level"
            none={labelled(levels, config?.thoughtLevel)}
            value={draft.thoughtLevel}
            options={levels}
            onChange={(thoughtLevel) => editDraft({ thoughtLevel })}
            error={problems.thoughtLevel ?? null}
          />
        ) : null}
      </div>
      {details.problem ? (
        <p className={styles.note}>
          What it offers is not known: {foreign(details.problem)} A model can be written all the
          same.
        </p>
      ) : null}
    </>
  );
}
