/** Which field of the dialog a refusal of the server is about. Pure. */
import type { FieldProblems } from './draft.ts';

/** As the server names them -> the field that shows it. */
const FIELDS = [
  'agent',
  'cwd',
  'model',
  'mode',
  'thoughtLevel',
  'title',
  'systemPrompt',
  'env',
  'metadata',
  'mcpServers',
  'permissionPolicy',
  'additionalDirectories',
  'baseUrl',
  'trustWorkspace',
  'agentOptions',
] as const;

interface Refusal {
  detail: string;
  details: Readonly<Record<string, unknown>>;
}

function fieldOf(where: string): string | null {
  const root = where.split('.')[0] ?? '';
  const field = FIELDS.find((each) => each === root);
  if (!field) {
    return null;
  }
  const rule = /^permissionPolicy\.rules\.(\d+)/.exec(where);
  if (rule) {
    return `rules.${rule[1]}`;
  }
  if (field === 'agentOptions' || field === 'mcpServers') {
    return where.split('.').slice(0, 2).join('.');
  }
  return field;
}

function listed(details: Refusal['details']): [string, string][] {
  const errors = Array.isArray(details.errors) ? details.errors : [];
  return errors.flatMap((each: unknown): [string, string][] => {
    if (typeof each !== 'object' || each === null) {
      return [];
    }
    const { where, message } = each as Record<string, unknown>;
    const field = typeof where === 'string' ? fieldOf(where) : null;
    return field && typeof message === 'string' ? [[field, message]] : [];
  });
}

/** The problems by field; `general` has what belongs to none of them. */
export function fieldsOfRefusal({ detail, details }: Refusal): FieldProblems {
  const found = listed(details);
  if (found.length > 0) {
    return Object.fromEntries(found);
  }
  const named = FIELDS.find((each) => Object.hasOwn(details, each));
  // `cwd` is not a directory: the words begin with the name of what they are about.
  const quoted = /`(\w+)(?:\.[\w.]+)?`/.exec(detail)?.[1] ?? '';
  const field = named ?? FIELDS.find((each) => each === quoted);
  return { [field ?? 'general']: detail };
}
