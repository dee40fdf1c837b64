import { useEffect, useState } from 'react';
import type { SkillsConfig } from 'sandbox-agent-client';
import {
  formOfSkills,
  kindOfSource,
  NEW_SKILL,
  problemsOfSkill,
  type SkillForm,
  type SkillProblems,
  skillsOfForm,
} from 'sandbox-agent-react';
import { TextField } from '../ui/index.ts';
import { EntryDialog } from './EntryDialog.tsx';
import { parsedObject } from './JsonField.tsx';

interface SkillDialogProps {
  editing: { name: string | null; config: SkillsConfig | null } | null;
  taken: readonly string[];
  onClose: () => void;
  onSave: (name: string, config: SkillsConfig) => Promise<void>;
}

const KINDS = {
  github: 'A repository on GitHub.',
  git: 'A repository, by its address.',
  local: 'A folder in the sandbox.',
};

/** Where skills come from, in a form, or as the JSON that is stored. */
export function SkillDialog({ editing, taken, onClose, onSave }: SkillDialogProps) {
  const [form, setForm] = useState<SkillForm>(NEW_SKILL);
  const [json, setJson] = useState<string | null>(null);
  const [problems, setProblems] = useState<SkillProblems & { json?: string }>({});
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);

  useEffect(() => {
    if (!editing) return;
    const { name, config } = editing;
    const known = config && name ? formOfSkills(name, config) : NEW_SKILL;
    setForm(known ?? { ...NEW_SKILL, name: name ?? '' });
    setJson(known === null ? JSON.stringify(config, null, 2) : null);
    setProblems({});
    setFailure(null);
  }, [editing]);

  const set = (change: Partial<SkillForm>) => {
    setForm((before) => ({ ...before, ...change }));
    setProblems({});
    setFailure(null);
  };

  const save = async () => {
    const name = form.name.trim();
    let config: SkillsConfig;
    if (json === null) {
      const found = problemsOfSkill(form);
      if (editing?.name === null && taken.includes(name)) found.name = 'There is one of this name.';
      setProblems(found);
      if (Object.keys(found).length > 0) return;
      config = skillsOfForm(form);
    } else {
      const parsed = parsedObject(json);
      if ('problem' in parsed) {
        setProblems({ json: parsed.problem });
        return;
      }
      config = parsed.value as SkillsConfig;
    }
    setBusy(true);
    try {
      await onSave(name, config);
      onClose();
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };

  const switchView = () => {
    if (json === null) {
      setJson(JSON.stringify(skillsOfForm(form), null, 2));
      return;
    }
    const parsed = parsedObject(json);
    const back =
      'value' in parsed && Array.isArray(parsed.value.sources)
        ? formOfSkills(form.name, parsed.value as SkillsConfig)
        : null;
    if (back) {
      setForm(back);
      setJson(null);
    } else setProblems({ json: 'The form has fields for one source only.' });
  };

  return (
    <EntryDialog
      title={editing?.name ? 'Edit skills' : 'Add skills'}
      isOpen={editing !== null}
      onClose={onClose}
      isNew={editing?.name === null}
      name={form.name}
      onName={(name) => set({ name })}
      nameError={problems.name}
      json={json}
      onJson={setJson}
      jsonError={problems.json}
      onSwitch={switchView}
      failure={failure}
      isBusy={isBusy}
      onSave={() => void save()}
    >
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
