/** What most sessions leave alone. */
import type { AgentInfo } from 'sandbox-agent-client';
import { TextField } from '../../ui/index.ts';
import styles from './AdvancedFields.module.css';
import { editDraft } from './choices.ts';
import type { FieldProblems, SessionDraft } from './draft.ts';
import { McpField } from './McpField.tsx';
import { OptionalSelect } from './OptionalSelect.tsx';
import { OptionsField } from './OptionsField.tsx';
import { PairsField } from './PairsField.tsx';
import { PolicyField } from './PolicyField.tsx';

interface AdvancedFieldsProps {
  agent: AgentInfo | undefined;
  draft: SessionDraft;
  problems: FieldProblems;
}

export function AdvancedFields({ agent, draft, problems }: AdvancedFieldsProps) {
  return (
    <div className={styles.fields}>
      <TextField
        label="Title"
        placeholder="As the agent calls it"
        value={draft.title}
        onChange={(title) => editDraft({ title })}
        error={problems.title ?? null}
        maxLength={200}
      />
      <TextField
        label="System prompt"
        description="Added to the agent's own"
        value={draft.systemPrompt}
        onChange={(systemPrompt) => editDraft({ systemPrompt })}
        error={problems.systemPrompt ?? null}
        rows={2}
      />
      <PolicyField draft={draft} problems={problems} />
      <McpField draft={draft} problems={problems} />
      <TextField
        label="Skills"
        placeholder={'owner/repository\n/path/of/a/folder'}
        description="Sources, one on each line. They are added to the configuration of the folder, so later sessions in it have them, too."
        value={draft.skills}
        onChange={(skills) => editDraft({ skills })}
        error={problems.skills ?? null}
        rows={2}
        mono
      />
      <PairsField
        field="env"
        label="Environment"
        description="Added to the agent's environment. Never logged or stored."
        add="Add a variable"
        pairs={draft.env}
        problems={problems}
        isSecret
        onChange={(env) => editDraft({ env })}
      />
      <OptionalSelect
        label="Hooks, plugins and MCP programs that the folder brings along"
        none="As the server is set"
        value={draft.trustWorkspace === 'default' ? '' : draft.trustWorkspace}
        options={[
          { id: 'yes', label: 'Run them', description: 'Only for a folder that you trust' },
          { id: 'no', label: 'Do not run them' },
        ]}
        onChange={(value) =>
          editDraft({ trustWorkspace: value === 'yes' || value === 'no' ? value : 'default' })
        }
        error={problems.trustWorkspace ?? null}
      />
      <TextField
        label="Other folders that it works in"
        description="Whole paths, one on each line"
        value={draft.additionalDirectories}
        onChange={(additionalDirectories) => editDraft({ additionalDirectories })}
        error={problems.additionalDirectories ?? null}
        rows={1}
        mono
      />
      <TextField
        label="Where its model requests go"
        placeholder="To its provider"
        description="A gateway's URL, without keys in it: it is stored and shown"
        value={draft.baseUrl}
        onChange={(baseUrl) => editDraft({ baseUrl })}
        error={problems.baseUrl ?? null}
        type="url"
        mono
      />
      <PairsField
        field="metadata"
        label="Metadata"
        description="Yours: to find the session by, as key:value in the search"
        add="Add a value"
        pairs={draft.metadata}
        problems={problems}
        onChange={(metadata) => editDraft({ metadata })}
      />
      {agent ? <OptionsField agent={agent} draft={draft} problems={problems} /> : null}
    </div>
  );
}
