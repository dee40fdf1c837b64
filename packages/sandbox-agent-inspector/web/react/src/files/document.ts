/** What an editor shows of a file is at most this; the rest is fetched by its own wish. */
export const FIRST_BYTES = 1024 * 1024;

export interface FileRead {
  bytes: Uint8Array;
  etag: string | null;
  /** Of the whole file. */
  size: number;
}

export interface DocumentSource {
  /** The bytes from 0 up to `maxBytes`. */
  read(path: string, maxBytes: number): Promise<FileRead>;
  write(
    path: string,
    data: Uint8Array,
    o: { ifMatch?: string; overwrite?: boolean },
  ): Promise<{ etag: string | null }>;
  /** What an error of `read` and `write` means. */
  kindOf(error: unknown): 'changed' | 'gone' | 'other';
}

export interface Draft {
  text: string;
  /** Of the file that it was made from. */
  etag: string | null;
}

/** Where unsaved text outlives the page. */
export interface DraftStorage {
  get(path: string): Draft | null;
  set(path: string, draft: Draft): void;
  remove(path: string): void;
}

export interface DocumentSnapshot {
  path: string;
  state: 'loading' | 'ready' | 'saving' | 'failed' | 'gone';
  problem: string | null;
  kind: 'text' | 'binary';
  bytes: Uint8Array | null;
  size: number;
  /** Only its beginning is here: it cannot be edited. */
  isPartial: boolean;
  etag: string | null;
  text: string;
  savedText: string;
  lineSeparator: '\n' | '\r\n';
  isDirty: boolean;
  /** The file on the disk is another one than the text was made from. `text` is null when it is gone. */
  conflict: { text: string | null; etag: string | null } | null;
  /** Counts how often the text was replaced by something else than typing. */
  revision: number;
  savedAt: number | null;
}

/** A file that is open: its text, what of it is not saved, and what happened to it on the disk meanwhile. */
export class FileDocument {
  readonly path: string;
  readonly #source: DocumentSource;
  readonly #drafts: DraftStorage;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #snapshot: DocumentSnapshot;
  #maxBytes = FIRST_BYTES;

  constructor(
    source: DocumentSource,
    path: string,
    drafts: DraftStorage,
    now: () => number = Date.now,
  ) {
    this.#source = source;
    this.path = path;
    this.#drafts = drafts;
    this.#now = now;
    this.#snapshot = {
      path,
      state: 'loading',
      problem: null,
      kind: 'text',
      bytes: null,
      size: 0,
      isPartial: false,
      etag: null,
      text: '',
      savedText: '',
      lineSeparator: '\n',
      isDirty: false,
      conflict: null,
      revision: 0,
      savedAt: null,
    };
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  getSnapshot = (): DocumentSnapshot => this.#snapshot;

  async load(): Promise<void> {
    let read: FileRead;
    try {
      read = await this.#source.read(this.path, this.#maxBytes);
    } catch (error) {
      const isGone = this.#source.kindOf(error) === 'gone';
      const draft = isGone ? this.#drafts.get(this.path) : null;
      if (draft && isGone) {
        this.#replace({
          state: 'ready',
          text: draft.text,
          savedText: '',
          isDirty: true,
          conflict: { text: null, etag: null },
        });
        return;
      }
      this.#update({ state: isGone ? 'gone' : 'failed', problem: messageOf(error) });
      return;
    }
    this.#take(read);
    const draft = this.#drafts.get(this.path);
    const { kind, isPartial, savedText, etag } = this.#snapshot;
    if (!draft || kind !== 'text' || isPartial) return;
    if (draft.text === savedText) {
      this.#drafts.remove(this.path);
      return;
    }
    const isOther = draft.etag !== etag;
    this.#replace({
      text: draft.text,
      isDirty: true,
      etag: draft.etag,
      conflict: isOther ? { text: savedText, etag } : null,
    });
  }

  /** Fetches as much again of a file that is here in part. */
  async loadMore(): Promise<void> {
    this.#maxBytes *= 4;
    await this.load();
  }

  type(text: string): void {
    const isDirty = text !== this.#snapshot.savedText || this.#snapshot.conflict !== null;
    if (isDirty) this.#drafts.set(this.path, { text, etag: this.#snapshot.etag });
    else this.#drafts.remove(this.path);
    this.#update({ text, isDirty });
  }

  /** False: it was changed on the disk, and `conflict` says how, or `problem` why it could not be written. */
  async save(): Promise<boolean> {
    const { text, etag, state, conflict, isPartial, kind } = this.#snapshot;
    if (state === 'saving' || isPartial || kind !== 'text') return false;
    if (conflict) return false;
    return this.#write(text, etag === null ? {} : { ifMatch: etag });
  }

  /** After a conflict: what is here replaces what is on the disk, if that is still what was shown. */
  async overwrite(): Promise<boolean> {
    const { text, conflict } = this.#snapshot;
    if (!conflict) return this.save();
    return this.#write(
      text,
      conflict.etag === null ? { overwrite: false } : { ifMatch: conflict.etag },
    );
  }

  /** After a conflict, or any time: what is on the disk replaces what is here. */
  async revert(): Promise<void> {
    this.#drafts.remove(this.path);
    await this.load();
  }

  /** What a watcher tells. A file that nobody has typed into is read again; else the conflict is shown. */
  async changedOnDisk(): Promise<void> {
    const before = this.#snapshot;
    if (before.state === 'saving' || before.state === 'loading') return;
    let read: FileRead;
    try {
      read = await this.#source.read(this.path, this.#maxBytes);
    } catch (error) {
      if (this.#source.kindOf(error) === 'gone') this.goneFromDisk(messageOf(error));
      return;
    }
    // Somebody typed or saved while it was read.
    const now = this.#snapshot;
    if (read.etag !== null && read.etag === now.etag && now.state !== 'gone') {
      if (now.conflict) this.#update({ conflict: null });
      return;
    }
    if (now.state === 'saving') return;
    if (!now.isDirty) {
      this.#take(read);
      return;
    }
    const decoded = decodeText(read.bytes);
    if (decoded !== null && decoded === now.text) {
      this.#drafts.remove(this.path);
      this.#take(read);
      return;
    }
    this.#update({ conflict: { text: decoded ?? '', etag: read.etag } });
  }

  /** A watcher says that there is no such file any more: asking for it would only be refused. */
  goneFromDisk(problem: string | null = null): void {
    const { state, isDirty } = this.#snapshot;
    if (state === 'saving' || state === 'loading') return;
    if (isDirty) this.#update({ conflict: { text: null, etag: null } });
    else this.#update({ state: 'gone', problem });
  }

  async #write(text: string, o: { ifMatch?: string; overwrite?: boolean }): Promise<boolean> {
    this.#update({ state: 'saving', problem: null });
    try {
      const written = await this.#source.write(this.path, new TextEncoder().encode(text), o);
      const typed = this.#snapshot.text;
      const isDirty = typed !== text;
      if (isDirty) this.#drafts.set(this.path, { text: typed, etag: written.etag });
      else this.#drafts.remove(this.path);
      this.#update({
        state: 'ready',
        etag: written.etag,
        savedText: text,
        isDirty,
        conflict: null,
        savedAt: this.#now(),
        size: new TextEncoder().encode(text).length,
      });
      return true;
    } catch (error) {
      const kind = this.#source.kindOf(error);
      if (kind === 'other') {
        this.#update({ state: 'ready', problem: messageOf(error) });
        return false;
      }
      await this.#learnConflict();
      return false;
    }
  }

  async #learnConflict(): Promise<void> {
    try {
      const read = await this.#source.read(this.path, this.#maxBytes);
      const theirs = decodeText(read.bytes);
      this.#update({ state: 'ready', conflict: { text: theirs ?? '', etag: read.etag } });
    } catch (error) {
      if (this.#source.kindOf(error) === 'gone')
        this.#update({ state: 'ready', conflict: { text: null, etag: null } });
      else this.#update({ state: 'ready', problem: messageOf(error) });
    }
  }

  #take(read: FileRead): void {
    const isPartial = read.bytes.length < read.size;
    const text = decodeText(read.bytes, isPartial);
    this.#replace({
      state: 'ready',
      problem: null,
      kind: text === null ? 'binary' : 'text',
      bytes: read.bytes,
      size: read.size,
      isPartial,
      etag: read.etag,
      text: text ?? '',
      savedText: text ?? '',
      lineSeparator: text !== null && isCrLf(text) ? '\r\n' : '\n',
      isDirty: false,
      conflict: null,
    });
  }

  #replace(change: Partial<DocumentSnapshot>): void {
    this.#update({ ...change, revision: this.#snapshot.revision + 1 });
  }

  #update(change: Partial<DocumentSnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** UTF-8 without NUL is text, else null. The beginning of a file may end within a character. */
export function decodeText(bytes: Uint8Array, isCut = false): string | null {
  if (bytes.subarray(0, 8192).includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, {
      stream: isCut,
    });
  } catch {
    return null;
  }
}

/** All of its lines end with CR LF. With both kinds in it, a CR stays part of its line. */
function isCrLf(text: string): boolean {
  return text.includes('\r\n') && !/(^|[^\r])\n/.test(text);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
