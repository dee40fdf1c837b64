import { useState } from 'react';
import { ApiError } from 'sandbox-agent-client';
import type { EntryDialogProps } from './EntryDialog.tsx';
import { parsedObject } from './JsonField.tsx';

/** What there is of one sort in a directory's configuration, and how it is written in a form. */
export interface EntrySort<Config, Form> {
  blank: Form;
  /** Null: the form has no fields for all that it says. */
  formOf(name: string, config: Config): Form | null;
  configOf(form: Form): Config;
  problemsOf(form: Form): EntryProblems;
  /** Of JSON that a person wrote; the server tells what is wrong with it. */
  read(value: Record<string, unknown>): Config;
}

/** By field; `json` is that of the whole. */
export type EntryProblems = Partial<Record<string, string>>;

export interface EntryFormProps<Config> {
  /** A new one has neither a name nor a configuration. */
  editing: { name: string | null; config: Config | null } | null;
  taken: readonly string[];
  onClose: () => void;
  onSave: (name: string, config: Config) => Promise<void>;
}

/** An entry while it is edited: its form, its JSON in place of that, and its way to the server. */
export function useEntryForm<Config, Form extends { name: string }>(
  sort: EntrySort<Config, Form>,
  { editing, taken, onClose, onSave }: EntryFormProps<Config>,
) {
  const [shown, setShown] = useState<EntryFormProps<Config>['editing']>(null);
  const [form, setForm] = useState(sort.blank);
  const [json, setJson] = useState<string | null>(null);
  const [problems, setProblems] = useState<EntryProblems>({});
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);

  const forget = () => {
    setProblems({});
    setFailure(null);
  };

  if (editing !== shown) {
    setShown(editing);
    // Closed, it keeps what it says until it is out of sight.
    if (editing) {
      const { name, config } = editing;
      const known = name !== null && config ? sort.formOf(name, config) : sort.blank;
      setForm(known ?? { ...sort.blank, name: name ?? '' });
      setJson(known === null ? JSON.stringify(config, null, 2) : null);
      forget();
    }
  }

  const set = (change: Partial<Form>) => {
    setForm((before) => ({ ...before, ...change }));
    forget();
  };

  const switchView = () => {
    if (json === null) {
      setJson(JSON.stringify(sort.configOf(form), null, 2));
      return;
    }
    const parsed = parsedObject(json);
    if ('problem' in parsed) {
      setProblems({ json: parsed.problem });
      return;
    }
    const back = sort.formOf(form.name, sort.read(parsed.value));
    if (back === null) {
      setProblems({ json: 'The form has no fields for all of it.' });
      return;
    }
    setForm(back);
    setJson(null);
    forget();
  };

  const save = async () => {
    const found: EntryProblems = {};
    const { name: nameProblem, ...others } = sort.problemsOf(form);
    const name = form.name.trim();
    const isTaken = editing?.name === null && taken.includes(name);
    if (nameProblem) found.name = nameProblem;
    else if (isTaken) found.name = 'There is one of this name.';
    let config: Config | null = null;
    if (json === null) {
      Object.assign(found, others);
      config = sort.configOf(form);
    } else {
      const parsed = parsedObject(json);
      if ('problem' in parsed) found.json = parsed.problem;
      else config = sort.read(parsed.value);
    }
    setProblems(found);
    if (config === null || Object.keys(found).length > 0) return;
    setBusy(true);
    try {
      await onSave(name, config);
      onClose();
    } catch (error) {
      if (error instanceof ApiError && json !== null) setProblems({ json: error.message });
      else setFailure(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };

  const dialog: Omit<EntryDialogProps, 'title' | 'children'> = {
    isOpen: editing !== null,
    onClose,
    isNew: shown?.name === null,
    name: form.name,
    onName: (name) => {
      setForm((before) => ({ ...before, name }));
      forget();
    },
    nameError: problems.name,
    json,
    onJson: (value) => {
      setJson(value);
      forget();
    },
    jsonError: problems.json,
    onSwitch: switchView,
    failure,
    isBusy,
    onSave: () => void save(),
  };
  return { form, set, problems, dialog };
}
