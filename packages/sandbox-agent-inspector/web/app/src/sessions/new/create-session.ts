/** Make what the dialog stands for, step by step. What has been done is not done again when a later step fails. */
import {
  ApiError,
  newId,
  type SandboxAgent,
  type ServerStore,
  type SessionInfo,
} from 'sandbox-agent-client';
import type { FieldProblems, SessionPlan } from './draft.ts';
import { fieldsOfRefusal } from './server-problems.ts';

export type StepId = 'clone' | 'upload' | 'skills' | 'create';

export interface Progress {
  step: StepId;
  label: string;
  /** 0 to 1, when it is known. */
  done: number | null;
}

/** What earlier attempts have finished. */
export interface Finished {
  /** `url ref path` -> where it was cloned to. */
  clones: Map<string, string>;
  uploads: Set<File>;
  /** What was asked to be made without an answer -> the key with which it is made once. */
  keys: Map<string, string>;
}

export function nothingFinished(): Finished {
  return { clones: new Map(), uploads: new Set(), keys: new Map() };
}

export class StepFailed extends Error {
  readonly problems: FieldProblems;

  constructor(problems: FieldProblems, cause: unknown) {
    super(Object.values(problems).join(' '), { cause });
    this.problems = problems;
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function step<T>(field: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const problems =
      field === 'general' && error instanceof ApiError
        ? fieldsOfRefusal(error)
        : { [field]: wordsOf(error) };
    throw new StepFailed(problems, error);
  }
}

interface CreateOptions {
  plan: SessionPlan;
  files: readonly File[];
  /** The agent is not there yet: the server brings it, which takes a while. */
  isInstalled: boolean;
  finished: Finished;
  signal: AbortSignal;
  onProgress(progress: Progress): void;
}

export async function createSession(
  client: SandboxAgent,
  store: ServerStore,
  options: CreateOptions,
): Promise<SessionInfo> {
  const { plan, files, finished, onProgress, signal } = options;
  let { body } = plan;
  if (plan.clone) {
    const cwd = await step('cloneUrl', () => cloned(client, options));
    body = { ...body, cwd };
  }
  const missing = files.filter((file) => !finished.uploads.has(file));
  if (missing.length > 0) {
    await step('files', async () => {
      onProgress({ step: 'upload', label: 'Uploading files', done: 0 });
      const uploads = missing.map((file) => ({
        path: file.webkitRelativePath || file.name,
        data: file,
      }));
      await client.files.upload(body.cwd ?? '.', uploads, {
        signal,
        onProgress: ({ path, doneBytes, totalBytes }) =>
          onProgress({
            step: 'upload',
            label: `Uploading ${path}`,
            done: totalBytes > 0 ? doneBytes / totalBytes : null,
          }),
      });
      for (const file of missing) {
        finished.uploads.add(file);
      }
    });
  }
  if (plan.skills.length > 0) {
    await step('skills', async () => {
      onProgress({ step: 'skills', label: 'Adding skills', done: null });
      const directory = body.cwd ?? (await client.files.stat('.')).path;
      for (const { name, source } of plan.skills) {
        await client.config.skills.put(directory, name, { sources: [source] });
      }
    });
  }
  onProgress({
    step: 'create',
    label: options.isInstalled ? 'Starting the agent' : 'Installing the agent',
    done: null,
  });
  const stopWatching = options.isInstalled
    ? () => {}
    : watchInstall(client, body.agent, onProgress);
  try {
    const session = await step('general', () => created(client, body, options));
    store.refreshSession(session.id);
    return session;
  } finally {
    stopWatching();
  }
}

async function created(
  client: SandboxAgent,
  body: SessionPlan['body'],
  { finished: { keys }, signal }: CreateOptions,
): Promise<SessionInfo> {
  const wish = JSON.stringify(body);
  const idempotencyKey = keys.get(wish) ?? newId();
  keys.set(wish, idempotencyKey);
  try {
    return await client.sessions.create(body, { idempotencyKey, signal });
  } catch (error) {
    // What was refused is asked anew: an answer is given again for its key.
    if (error instanceof ApiError) keys.delete(wish);
    throw error;
  }
}

async function cloned(client: SandboxAgent, options: CreateOptions): Promise<string> {
  const { plan, finished, signal, onProgress } = options;
  const { clone } = plan;
  if (!clone) {
    throw new Error('There is nothing to clone.');
  }
  const key = `${clone.url} ${clone.ref ?? ''} ${clone.path ?? ''}`;
  const before = finished.clones.get(key);
  if (before !== undefined) {
    return before;
  }
  const work = client.git.clone(clone, { signal });
  onProgress({ step: 'clone', label: 'Cloning', done: null });
  for await (const { phase, percent } of work) {
    const words = phase.charAt(0).toUpperCase() + phase.slice(1).replaceAll('_', ' ');
    onProgress({
      step: 'clone',
      label: `Cloning: ${words}`,
      done: percent == null ? null : percent / 100,
    });
  }
  if (!work.result) {
    throw new Error('The connection was lost while it was cloned.');
  }
  finished.clones.set(key, work.result.path);
  return work.result.path;
}

/** The request that makes the session waits for the installation, and says nothing until it is done. */
function watchInstall(
  client: SandboxAgent,
  agent: string,
  onProgress: (progress: Progress) => void,
): () => void {
  const timer = setInterval(async () => {
    try {
      const { running, progress } = await client.agents.installing(agent);
      if (running && progress) {
        onProgress({ step: 'create', ...installWords(progress) });
      }
    } catch {
      // The request itself tells what went wrong.
    }
  }, 700);
  return () => clearInterval(timer);
}

const INSTALL_WORDS: Record<string, string> = {
  waiting: 'Waiting for another installation',
  resolving: 'Looking for the version',
  downloading: 'Downloading',
  unpacking: 'Unpacking',
  bringing_node: 'Bringing Node.js',
  running_npm: 'Installing packages',
  running_pip: 'Installing packages',
  starting: 'Starting it once',
  finishing: 'Finishing',
};

export function installWords(progress: {
  step: string;
  doneBytes?: number | null;
  totalBytes?: number | null;
}): { label: string; done: number | null } {
  const { doneBytes, totalBytes } = progress;
  const words = INSTALL_WORDS[progress.step] ?? progress.step;
  const megabytes = (bytes: number) => (bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0);
  const size =
    doneBytes == null
      ? ''
      : totalBytes
        ? ` ${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB`
        : ` ${megabytes(doneBytes)} MB`;
  return {
    label: `Installing: ${words}${size}`,
    done: doneBytes != null && totalBytes ? doneBytes / totalBytes : null,
  };
}
