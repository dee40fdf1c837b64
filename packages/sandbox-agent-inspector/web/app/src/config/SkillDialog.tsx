import type { SkillsConfig } from 'sandbox-agent-client';
import {
  formOfSkills,
  kindOfSource,
  NEW_SKILL,
  problemsOfSkill,
  type SkillForm,
  skillsOfForm,
} from 'sandbox-agent-react';
import { TextField } from '../ui/index.ts';
import { EntryDialog } from './EntryDialog.tsx';
import { type EntryFormProps, type EntrySort, useEntryForm } from './useEntryForm.ts';

const KINDS = {
  github: 'A repository on GitHub.',
  git: 'A repository, by its address.',
  local: 'A folder in the sandbox.',
};

const SKILLS: EntrySort<SkillsConfig, SkillForm> = {
  blank: NEW_SKILL,
  formOf: (name, config) => (Array.isArray(config.sources) ? formOfSkills(name, config) : null),
  configOf: skillsOfForm,
  problemsOf: problemsOfSkill,
  read: (value) => value as SkillsConfig,
};

/** Where skills come from, in a form, or as the JSON that is stored. */
export function SkillDialog(props: EntryFormProps<SkillsConfig>) {
  const { form, set, problems, dialog } = useEntryForm(SKILLS, props);
  return (
    <EntryDialog {...dialog} title={dialog.isNew ? 'Add skills' : 'Edit skills'}>
      <TextField
        label="Source"
        value={form.source}
        onChange={(source) => set({ source })}
        error={problems.source}
        placeholder="./skills, owner/repo, or https://…"
        description={form.source.trim() ? KINDS[kindOfSource(form.source)] : undefined}
        mono
        autoComplete="off"
      />
      <TextField
        label="Branch, tag or commit"
        value={form.ref}
        onChange={(ref) => set({ ref })}
        placeholder="the repository’s own"
        mono
        autoComplete="off"
      />
      <TextField
        label="Folder in it"
        value={form.subpath}
        onChange={(subpath) => set({ subpath })}
        placeholder="all of it"
        mono
        autoComplete="off"
      />
      <TextField
        label="Only these skills"
        value={form.skills}
        onChange={(skills) => set({ skills })}
        placeholder="all that are there"
        description="Names, with commas between them."
        mono
        autoComplete="off"
      />
    </EntryDialog>
  );
}
