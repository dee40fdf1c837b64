/** Rules that decide before a person is asked: the first that applies wins. */
import { Plus, X } from 'lucide-react';
import { Button, IconButton, Select, Switch, TextField } from '../../ui/index.ts';
import { editDraft } from './choices.ts';
import type { FieldProblems, RuleDraft, RuleSubject, SessionDraft } from './draft.ts';
import styles from './RowsField.module.css';
import { nextKey } from './row-keys.ts';

const ACTIONS = [
  { id: 'allow', label: 'Allow' },
  { id: 'ask', label: 'Ask' },
  { id: 'deny', label: 'Deny' },
] as const;

const SUBJECTS: readonly { id: RuleSubject; label: string; example: string }[] = [
  { id: 'command', label: 'commands', example: 'git status*' },
  { id: 'path', label: 'paths', example: 'src/*' },
  { id: 'toolKind', label: 'kind of tool', example: 'read, edit, execute, fetch' },
  { id: 'toolName', label: 'tool', example: 'WebFetch' },
];

export function PolicyField({ draft, problems }: { draft: SessionDraft; problems: FieldProblems }) {
  const { rules } = draft;
  const edit = (index: number, change: Partial<RuleDraft>) =>
    editDraft({ rules: rules.map((each, at) => (at === index ? { ...each, ...change } : each)) });
  return (
    <fieldset className={styles.rows}>
      <legend>Permissions</legend>
      <Switch
        isSelected={draft.hasPolicy}
        onChange={(hasPolicy) => editDraft({ hasPolicy })}
        description="Without rules the mode decides what is asked."
      >
        Rules for this session
      </Switch>
      {draft.hasPolicy ? (
        <>
          {rules.map((rule, index) => {
            const subject = SUBJECTS.find((each) => each.id === rule.subject);
            return (
              <div key={rule.key} className={styles.row}>
                <Select
                  label={`Rule ${index + 1}: what it does`}
                  hideLabel
                  value={rule.action}
                  onChange={(action) => edit(index, { action: action as RuleDraft['action'] })}
                  options={ACTIONS}
                />
                <Select
                  label={`Rule ${index + 1}: what it looks at`}
                  hideLabel
                  value={rule.subject}
                  onChange={(id) => edit(index, { subject: id as RuleSubject })}
                  options={SUBJECTS}
                />
                <TextField
                  className={styles.wide ?? ''}
                  label={`Rule ${index + 1}: pattern`}
                  hideLabel
                  placeholder={subject?.example ?? ''}
                  value={rule.pattern}
                  onChange={(pattern) => edit(index, { pattern })}
                  error={problems[`rules.${index}`] ?? null}
                  mono
                />
                <IconButton
                  label={`Remove rule ${index + 1}`}
                  onPress={() => editDraft({ rules: rules.filter((each) => each !== rule) })}
                >
                  <X size={16} />
                </IconButton>
              </div>
            );
          })}
          <Button
            size="small"
            look="quiet"
            icon={<Plus size={14} aria-hidden />}
            onPress={() =>
              editDraft({
                rules: [
                  ...rules,
                  { key: nextKey(), action: 'allow', subject: 'command', pattern: '' },
                ],
              })
            }
          >
            Add a rule
          </Button>
          <div className={styles.row}>
            <Select
              label="When no rule applies"
              value={draft.policyDefault}
              onChange={(value) =>
                editDraft({ policyDefault: value as SessionDraft['policyDefault'] })
              }
              options={ACTIONS}
            />
            <TextField
              label="Minutes a request waits, then it is denied"
              value={draft.timeoutMinutes}
              onChange={(timeoutMinutes) => editDraft({ timeoutMinutes })}
              error={problems.timeoutMinutes ?? null}
              type="number"
            />
          </div>
        </>
      ) : null}
      {problems.permissionPolicy ? (
        <p className={styles.problem} role="alert">
          {problems.permissionPolicy}
        </p>
      ) : null}
    </fieldset>
  );
}
