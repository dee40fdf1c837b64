import {
  ApiError,
  type ImageBlock,
  type ResourceLink,
  type SandboxAgent,
  type SessionStore,
} from 'sandbox-agent-client';
import {
  ATTACHMENTS_DIRECTORY,
  type Attachment,
  type AttachmentState,
  blocksOf,
  fileUri,
  isInline,
  isPicture,
  numbered,
  refusalOf,
  safeName,
} from './attachments.ts';
import { DraftStore } from './drafts.ts';
import { PromptHistory } from './history.ts';
import { promptCapabilities } from './session.ts';

/** `queue`: as a prompt, which waits for the turn that runs. `steer`: into that turn. */
export type SendHow = 'queue' | 'steer';

export interface ComposerSnapshot {
  attachments: readonly Attachment[];
  /** What is on its way, until the server has accepted it. */
  sending: { text: string; how: SendHow } | null;
  /** Why the last one was not taken. */
  problem: Error | null;
  /** Files that could not be attached, and why. */
  refused: readonly { name: string; reason: string }[];
}

const EMPTY: ComposerSnapshot = { attachments: [], sending: null, problem: null, refused: [] };
const MAX_NUMBER = 200;

/** What is being written for one session: it outlives the component, for one may look at another session meanwhile. */
export class ComposerStore {
  readonly drafts: DraftStore;
  readonly history: PromptHistory;
  readonly #client: SandboxAgent;
  #session: SessionStore;
  readonly #sessionId: string;
  readonly #files = new Map<string, File>();
  readonly #listeners = new Set<() => void>();
  #snapshot = EMPTY;
  #lastId = 0;
  #sending: AbortController | null = null;

  constructor(
    client: SandboxAgent,
    session: SessionStore,
    sessionId: string,
    kept: { drafts: DraftStore; history: PromptHistory },
  ) {
    this.#client = client;
    this.#session = session;
    this.#sessionId = sessionId;
    this.drafts = kept.drafts;
    this.history = kept.history;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  readonly getSnapshot = (): ComposerSnapshot => this.#snapshot;

  /** The session's store now: one that nobody looked at for long is another when somebody does again. */
  follow(session: SessionStore): void {
    this.#session = session;
  }

  /** Resolves when the server has taken it, or has refused: then the draft is still there. */
  async send(how: SendHow): Promise<void> {
    const text = this.drafts.get(this.#sessionId);
    const { attachments, sending } = this.#snapshot;
    const isReady = attachments.every(({ state }) => state.phase === 'ready');
    if (sending || !isReady || (!text.trim() && attachments.length === 0)) return;
    this.#set({ sending: { text, how }, problem: null, refused: [] });
    const content = attachments.length > 0 ? blocksOf(text.trim(), attachments) : text.trim();
    const sendingNow = new AbortController();
    this.#sending = sendingNow;
    try {
      const { signal } = sendingNow;
      if (this.#session.getSnapshot().info?.status === 'ended') {
        await this.#client.sessions.resume(this.#sessionId);
      }
      await this.#session.send(content, { steer: how === 'steer', signal });
    } catch (error) {
      if (sendingNow.signal.aborted) return;
      const problem = error instanceof Error ? error : new Error(String(error));
      this.#set({ sending: null, problem });
      return;
    }
    this.history.add(text);
    const sent = new Set(attachments.map(({ id }) => id));
    const left = this.#snapshot.attachments.filter(({ id }) => !sent.has(id));
    for (const attachment of attachments) this.#release(attachment);
    this.#set({ sending: null, attachments: left });
    this.drafts.sent(this.#sessionId, text);
  }

  /** Give up what waits for the connection: it is a draft again. */
  withdraw(): void {
    this.#sending?.abort();
    this.#set({ sending: null });
  }

  attach(files: readonly File[]): void {
    const refused: { name: string; reason: string }[] = [];
    for (const file of files) {
      const reason = refusalOf(file, this.#snapshot.attachments.length);
      if (reason) {
        refused.push({ name: file.name, reason });
        continue;
      }
      this.#lastId += 1;
      const id = `attachment-${this.#lastId}`;
      const preview = isPicture(file) ? URL.createObjectURL(file) : null;
      const added: Attachment = {
        id,
        name: file.name || 'pasted',
        size: file.size,
        mimeType: file.type,
        preview,
        state: { phase: 'preparing' },
      };
      this.#files.set(id, file);
      this.#set({ attachments: [...this.#snapshot.attachments, added] });
      void this.#prepare(id, file);
    }
    this.#set({ refused });
  }

  /** After a failure. */
  retry(id: string): void {
    const file = this.#files.get(id);
    if (!file) return;
    this.#update(id, { phase: 'preparing' });
    void this.#prepare(id, file);
  }

  detach(id: string): void {
    const attachment = this.#snapshot.attachments.find((one) => one.id === id);
    if (!attachment) return;
    this.#release(attachment);
    this.#set({ attachments: this.#snapshot.attachments.filter((one) => one.id !== id) });
  }

  dismiss(): void {
    this.#set({ problem: null, refused: [] });
  }

  async #prepare(id: string, file: File): Promise<void> {
    const { info } = this.#session.getSnapshot();
    try {
      const block = isInline(file, promptCapabilities(info).image)
        ? await inlined(file)
        : await this.#upload(file, info?.cwd ?? '');
      this.#update(id, { phase: 'ready', block });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#update(id, { phase: 'failed', reason });
    }
  }

  /** Into the working directory, where every agent may read; git does not see it. */
  async #upload(file: File, cwd: string): Promise<ResourceLink> {
    const directory = `${cwd.replace(/\/+$/, '')}/${ATTACHMENTS_DIRECTORY}`;
    await this.#client.files
      .write(`${directory}/.gitignore`, '*\n', { overwrite: false })
      .catch(ignoreExisting);
    const name = safeName(file.name);
    for (let number = 1; ; number += 1) {
      const path = `${directory}/${numbered(name, number)}`;
      try {
        const written = await this.#client.files.write(path, file, { overwrite: false });
        return {
          type: 'resource_link',
          uri: fileUri(written.path),
          name: numbered(name, number),
          ...(file.type && { mimeType: file.type }),
          size: file.size,
        };
      } catch (error) {
        if (number >= MAX_NUMBER) throw error;
        ignoreExisting(error);
      }
    }
  }

  #update(id: string, state: AttachmentState): void {
    this.#set({
      attachments: this.#snapshot.attachments.map((one) =>
        one.id === id ? { ...one, state } : one,
      ),
    });
  }

  #release(attachment: Attachment): void {
    this.#files.delete(attachment.id);
    if (attachment.preview) URL.revokeObjectURL(attachment.preview);
  }

  #set(change: Partial<ComposerSnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function ignoreExisting(error: unknown): void {
  if (!(error instanceof ApiError) || error.status !== 409) throw error;
}

async function inlined(file: File): Promise<ImageBlock> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const CHUNK = 0x8000;
  let binary = '';
  for (let at = 0; at < bytes.length; at += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return { type: 'image', data: btoa(binary), mimeType: file.type };
}

interface Kept {
  drafts: DraftStore;
  history: PromptHistory;
  stores: Map<string, ComposerStore>;
}

const kept = new WeakMap<SandboxAgent, Kept>();

/** The one store of a session. */
export function composerOf(
  client: SandboxAgent,
  session: SessionStore,
  sessionId: string,
): ComposerStore {
  const { drafts, history, stores } = keptOf(client);
  const known = stores.get(sessionId);
  if (known) {
    known.follow(session);
    return known;
  }
  const made = new ComposerStore(client, session, sessionId, { drafts, history });
  stores.set(sessionId, made);
  return made;
}

function keptOf(client: SandboxAgent): Kept {
  const known = kept.get(client);
  if (known) return known;
  const storage = browserStorage();
  const made: Kept = {
    drafts: new DraftStore(client.url, storage),
    history: new PromptHistory(client.url, storage),
    stores: new Map(),
  };
  if (typeof window !== 'undefined') {
    window.addEventListener('storage', (event) => made.drafts.changedElsewhere(event));
  }
  kept.set(client, made);
  return made;
}

function browserStorage(): Storage | null {
  try {
    return typeof localStorage === 'undefined' ? null : localStorage;
  } catch {
    return null;
  }
}
