/** What only the chosen agent has, from its schema. */
import type { AgentInfo } from 'sandbox-agent-client';
import { TextField } from '../../ui/index.ts';
import { type OptionField, optionFields, optionLabel } from './agent-options.ts';
import { editDraft } from './choices.ts';
import type { FieldProblems, SessionDraft } from './draft.ts';
import { OptionalSelect } from './OptionalSelect.tsx';
import styles from './OptionsField.module.css';

interface OptionsFieldProps {
  agent: AgentInfo;
  draft: SessionDraft;
  problems: FieldProblems;
}

export function OptionsField({ agent, draft, problems }: OptionsFieldProps) {
  const all = optionFields(agent.agentOptionsSchema);
  const allowed = new Set(agent.allowedAgentOptions);
  const fields = all.filter((each) => allowed.has(each.name));
  const refused = all.length - fields.length;
  if (all.length === 0) {
    return null;
  }
  return (
    <fieldset className={styles.options}>
      <legend>Options of {agent.title || agent.id}</legend>
      {fields.map((field) => (
        <Field
          key={field.name}
          field={field}
          value={draft.agentOptions[field.name] ?? ''}
          problem={problems[`agentOptions.${field.name}`] ?? null}
          onChange={(value) =>
            editDraft({ agentOptions: { ...draft.agentOptions, [field.name]: value } })
          }
        />
      ))}
      {problems.agentOptions ? (
        <p className={styles.problem} role="alert">
          {problems.agentOptions}
        </p>
      ) : null}
      {refused > 0 ? (
        <p className={styles.note}>
          {refused === 1 ? 'One more is' : `${refused} more are`} not allowed by this server,
          because they loosen what is asked or trusted: <code>allowed_options</code> of its
          configuration.
        </p>
      ) : null}
    </fieldset>
  );
}

interface FieldProps {
  field: OptionField;
  value: string;
  problem: string | null;
  onChange(value: string): void;
}

function Field({ field, value, problem, onChange }: FieldProps) {
  const shared = {
    label: optionLabel(field.name),
    description: field.description,
    value,
    onChange,
    error: problem,
  };
  switch (field.kind) {
    case 'choice':
      return (
        <OptionalSelect
          {...shared}
          none="As it is"
          options={field.choices.map((id) => ({ id, label: id }))}
        />
      );
    case 'boolean':
      return (
        <OptionalSelect
          {...shared}
          none="As it is"
          options={[
            { id: 'true', label: 'Yes' },
            { id: 'false', label: 'No' },
          ]}
        />
      );
    case 'list':
      return <TextField {...shared} placeholder="One, two" mono />;
    case 'json':
      return <TextField {...shared} placeholder="JSON" rows={2} mono />;
    default:
      return <TextField {...shared} />;
  }
}
