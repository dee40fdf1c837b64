/** What was chosen last, per server, and what is being written: closing the dialog loses nothing. */
import { create } from 'zustand';
import { EMPTY_DRAFT, type SessionDraft } from './draft.ts';

const MOST_FOLDERS = 8;

export interface LastChoices {
  agent: string;
  cwd: string;
  folders: readonly string[];
  /** Agent -> what it was set to. */
  settings: Readonly<Record<string, Pick<SessionDraft, 'model' | 'mode' | 'thoughtLevel'>>>;
}

const NONE: LastChoices = { agent: '', cwd: '', folders: [], settings: {} };

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function readChoices(stored: unknown): LastChoices {
  if (!isRecord(stored)) {
    return NONE;
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const settings = isRecord(stored.settings) ? Object.entries(stored.settings) : [];
  return {
    agent: text(stored.agent),
    cwd: text(stored.cwd),
    folders: Array.isArray(stored.folders)
      ? stored.folders.filter((each) => typeof each === 'string').slice(0, MOST_FOLDERS)
      : [],
    settings: Object.fromEntries(
      settings.flatMap(([agent, each]) =>
        isRecord(each)
          ? [
              [
                agent,
                {
                  model: text(each.model),
                  mode: text(each.mode),
                  thoughtLevel: text(each.thoughtLevel),
                },
              ],
            ]
          : [],
      ),
    ),
  };
}

export function withChoice(last: LastChoices, draft: SessionDraft, cwd: string): LastChoices {
  const { model, mode, thoughtLevel } = draft;
  return {
    agent: draft.agent,
    cwd,
    folders: cwd
      ? [cwd, ...last.folders.filter((each) => each !== cwd)].slice(0, MOST_FOLDERS)
      : last.folders,
    settings: { ...last.settings, [draft.agent]: { model, mode, thoughtLevel } },
  };
}

const key = (server: string) => `sandbox-agent:new-session:${server}`;

export function lastChoices(server: string): LastChoices {
  try {
    return readChoices(JSON.parse(localStorage.getItem(key(server)) ?? 'null'));
  } catch {
    return NONE;
  }
}

export function rememberChoices(server: string, draft: SessionDraft, cwd: string): void {
  try {
    const next = withChoice(lastChoices(server), draft, cwd);
    localStorage.setItem(key(server), JSON.stringify(next));
  } catch {
    // A browser that keeps nothing.
  }
}

/** In memory only: it may hold keys, which belong into no storage. */
export const useDraft = create<{ draft: SessionDraft; isStarted: boolean }>(() => ({
  draft: EMPTY_DRAFT,
  isStarted: false,
}));

export function editDraft(change: Partial<SessionDraft>): void {
  useDraft.setState(({ draft }) => ({ draft: { ...draft, ...change }, isStarted: true }));
}

export function clearDraft(): void {
  useDraft.setState({ draft: EMPTY_DRAFT, isStarted: false });
}

/** Choose an agent, with what it was set to the last time. */
export function chooseAgent(server: string, agent: string): void {
  const settings = lastChoices(server).settings[agent];
  editDraft({
    agent,
    model: settings?.model ?? '',
    mode: settings?.mode ?? '',
    thoughtLevel: settings?.thoughtLevel ?? '',
    agentOptions: {},
  });
}
