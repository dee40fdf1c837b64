// @vitest-environment jsdom
import { act, renderHook } from '@testing-library/react';
import { ApiError } from 'sandbox-agent-client';
import { expect, test, vi } from 'vitest';
import {
  type EntryFormProps,
  type EntrySort,
  useEntryForm,
} from '../../src/config/useEntryForm.ts';

interface Config {
  at: string;
  more?: string;
}

const SORT: EntrySort<Config, { name: string; at: string }> = {
  blank: { name: '', at: '' },
  formOf: (name, { at, more }) => (more === undefined ? { name, at } : null),
  configOf: ({ at }) => ({ at }),
  problemsOf: ({ name, at }) => ({
    ...(name === '' && { name: 'missing' }),
    ...(at === '' && { at: 'missing' }),
  }),
  read: (value) => value as unknown as Config,
};

const NEW = { name: null, config: null };

function edit(editing: EntryFormProps<Config>['editing'], onSave = vi.fn(async () => {})) {
  const onClose = vi.fn();
  const { result } = renderHook(() =>
    useEntryForm(SORT, { editing, taken: ['known'], onClose, onSave }),
  );
  const on = (change: () => void) => act(async () => change());
  return { result, on, onClose, onSave };
}

test.each(['as a form', 'as JSON'])('a new entry takes the place of no other: %s', async (view) => {
  const { result, on, onSave } = edit(NEW);
  await on(() => result.current.set({ name: 'known', at: 'x' }));
  if (view === 'as JSON') await on(() => result.current.dialog.onSwitch());
  await on(() => result.current.dialog.onSave());
  expect(result.current.dialog.nameError).toBe('There is one of this name.');
  await on(() => result.current.dialog.onName(''));
  await on(() => result.current.dialog.onSave());
  expect(result.current.dialog.nameError).toBe('missing');
  expect(onSave).not.toHaveBeenCalled();
  await on(() => result.current.dialog.onName('other'));
  await on(() => result.current.dialog.onSave());
  expect(onSave).toHaveBeenCalledWith('other', { at: 'x' });
});

test('what the form has no fields for is edited as JSON, and stays there', async () => {
  const config = { at: 'x', more: 'y' };
  const { result, on, onSave } = edit({ name: 'known', config });
  expect(JSON.parse(result.current.dialog.json ?? '')).toEqual(config);
  await on(() => result.current.dialog.onSwitch());
  expect(result.current.dialog.jsonError).toBeDefined();
  await on(() => result.current.dialog.onJson('{'));
  await on(() => result.current.dialog.onSave());
  expect(result.current.dialog.jsonError).toBeDefined();
  expect(onSave).not.toHaveBeenCalled();
});

test('what the server refuses is kept, and said where it was written', async () => {
  const refusal = new ApiError(400, { detail: 'no such field' });
  const { result, on, onClose } = edit(
    NEW,
    vi.fn(async () => {
      throw refusal;
    }),
  );
  await on(() => result.current.set({ name: 'new', at: 'x' }));
  await on(() => result.current.dialog.onSave());
  expect(result.current.dialog.failure).toBe(refusal.message);
  await on(() => result.current.dialog.onSwitch());
  await on(() => result.current.dialog.onSave());
  expect(result.current.dialog.jsonError).toBe(refusal.message);
  expect(result.current.form).toEqual({ name: 'new', at: 'x' });
  expect(onClose).not.toHaveBeenCalled();
});
