import type { SkillSource, SkillsConfig } from 'sandbox-agent-client';

/** A source of skills as a person writes it: a folder, `owner/repo`, or a URL of git. */
export interface SkillForm {
  name: string;
  source: string;
  ref: string;
  subpath: string;
  /** Names of skills, with commas; none: all. */
  skills: string;
}

export type SkillProblems = Partial<Record<'name' | 'source', string>>;

export const NEW_SKILL: SkillForm = { name: '', source: '', ref: '', subpath: '', skills: '' };

/** Of what kind a source is, by how it is written. */
export function kindOfSource(source: string): SkillSource['type'] {
  const text = source.trim();
  if (/^(https?|ssh|git|file):\/\//.test(text) || /^[\w.-]+@[\w.-]+:/.test(text)) return 'git';
  if (/^[.~/]/.test(text)) return 'local';
  return /^[\w.-]+\/[\w.-]+/.test(text) ? 'github' : 'local';
}

export function problemsOfSkill(form: SkillForm): SkillProblems {
  const problems: SkillProblems = {};
  if (form.name.trim() === '') problems.name = 'Give it a name.';
  if (form.source.trim() === '') problems.source = 'Type a folder, owner/repo, or a URL of git.';
  return problems;
}

export function skillsOfForm(form: SkillForm): SkillsConfig {
  const names = form.skills
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  return {
    sources: [
      {
        type: kindOfSource(form.source),
        source: form.source.trim(),
        ...(form.ref.trim() === '' ? {} : { ref: form.ref.trim() }),
        ...(form.subpath.trim() === '' ? {} : { subpath: form.subpath.trim() }),
        ...(names.length === 0 ? {} : { skills: names }),
      },
    ],
  };
}

/** Null: there are several sources, for which the form has no fields. */
export function formOfSkills(name: string, config: SkillsConfig): SkillForm | null {
  const [source, ...others] = config.sources;
  if (!source || others.length > 0) return null;
  return {
    name,
    source: source.source,
    ref: source.ref ?? '',
    subpath: source.subpath ?? '',
    skills: (source.skills ?? []).join(', '),
  };
}
