/** Installations of agents: they go on when one leaves the page, and are there again when one comes back. */
import {
  ApiError,
  type InstallProgress,
  type InstallResult,
  type SandboxAgent,
} from 'sandbox-agent-client';
import { create } from 'zustand';
import { announce } from '../shell/announce.tsx';

export interface Install {
  state: 'running' | 'done' | 'failed';
  startedAt: number;
  endedAt: number | null;
  /** In the order in which they came, the last is under way. */
  steps: readonly { step: InstallProgress['step']; at: number }[];
  progress: InstallProgress | null;
  result: InstallResult | null;
  problem: string | null;
  /** What the tool that failed has written last. */
  lastLines: string | null;
}

export const useInstalls = create<{ installs: Readonly<Record<string, Install>> }>(() => ({
  installs: {},
}));

function keyOf(client: SandboxAgent, agent: string): string {
  return `${client.url} ${agent}`;
}

export function useInstall(client: SandboxAgent, agent: string): Install | null {
  return useInstalls(({ installs }) => installs[keyOf(client, agent)] ?? null);
}

export interface InstallWish {
  version?: string;
  reinstall?: boolean;
}

/** Begins an installation, or follows the one that goes on; resolves when it has ended. */
export async function install(
  client: SandboxAgent,
  agent: string,
  wish: InstallWish = {},
): Promise<void> {
  const key = keyOf(client, agent);
  if (useInstalls.getState().installs[key]?.state === 'running') return;
  const set = (change: Partial<Install>) =>
    useInstalls.setState(({ installs }) => ({
      installs: { ...installs, [key]: { ...(installs[key] ?? begun()), ...change } },
    }));
  set({ ...begun() });
  const work = client.agents.install(agent, {
    version: wish.version ?? null,
    reinstall: wish.reinstall ?? false,
  });
  try {
    for await (const progress of work) {
      const { steps } = useInstalls.getState().installs[key] ?? begun();
      const isNew = steps.at(-1)?.step !== progress.step;
      set({
        progress,
        steps: isNew ? [...steps, { step: progress.step, at: Date.now() }] : steps,
      });
    }
    if (work.result === null) throw new Error('The connection ended before the installation did.');
    set({ state: 'done', endedAt: Date.now(), result: work.result });
    announce(`${agent} is installed`);
  } catch (error) {
    const stderr = error instanceof ApiError ? error.details.stderr : null;
    set({
      state: 'failed',
      endedAt: Date.now(),
      problem: error instanceof Error ? error.message : String(error),
      lastLines: typeof stderr === 'string' && stderr.trim() !== '' ? stderr : null,
    });
    announce(`${agent} could not be installed`);
  }
}

/** One that somebody else has begun, a session that waits for it, say, is shown, too. */
export async function followRunning(client: SandboxAgent, agent: string): Promise<boolean> {
  const { running } = await client.agents.installing(agent);
  if (running) await install(client, agent);
  return running;
}

export function dismissInstall(client: SandboxAgent, agent: string): void {
  useInstalls.setState(({ installs }) => {
    const { [keyOf(client, agent)]: _gone, ...rest } = installs;
    return { installs: rest };
  });
}

function begun(): Install {
  return {
    state: 'running',
    startedAt: Date.now(),
    endedAt: null,
    steps: [],
    progress: null,
    result: null,
    problem: null,
    lastLines: null,
  };
}

export const STEPS: Readonly<Record<InstallProgress['step'], string>> = {
  waiting: 'Waiting for another installation of it',
  resolving: 'Asking for the version',
  downloading: 'Downloading',
  unpacking: 'Unpacking',
  bringing_node: 'Bringing a newer Node.js',
  running_npm: 'Installing with npm',
  running_pip: 'Installing with pip',
  starting: 'Starting it once',
  finishing: 'Finishing',
};
