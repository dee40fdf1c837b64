import type { UploadFile } from './dropping.ts';
import { joinPath } from './paths.ts';

export interface UploadProgress {
  state: 'running' | 'asking' | 'done' | 'cancelled' | 'failed';
  directory: string;
  /** Below `directory`; of the file that is under way. */
  path: string | null;
  doneFiles: number;
  totalFiles: number;
  doneBytes: number;
  totalBytes: number;
  /** Are there already, and wait for a decision. */
  existing: readonly string[];
  skipped: number;
  problem: string | null;
}

export interface UploadTarget {
  put(
    path: string,
    data: Blob,
    o: { overwrite: boolean; onProgress(doneBytes: number): void; signal: AbortSignal },
  ): Promise<unknown>;
  isExisting(error: unknown): boolean;
}

/** Uploads files one after the other. What is there already is asked about once, when all others are through. */
export class Uploading {
  readonly #target: UploadTarget;
  readonly #tell: (progress: UploadProgress) => void;
  readonly #stop = new AbortController();
  #progress: UploadProgress;
  #existing: UploadFile[] = [];

  constructor(
    target: UploadTarget,
    directory: string,
    files: readonly UploadFile[],
    tell: (progress: UploadProgress) => void,
  ) {
    this.#target = target;
    this.#tell = tell;
    this.#progress = {
      state: 'running',
      directory,
      path: null,
      doneFiles: 0,
      totalFiles: files.length,
      doneBytes: 0,
      totalBytes: files.reduce((sum, { file }) => sum + file.size, 0),
      existing: [],
      skipped: 0,
      problem: null,
    };
    void this.#run(files, false);
  }

  /** What is there already is replaced, or stays as it is. */
  decide(replace: boolean): void {
    if (this.#progress.state !== 'asking') return;
    const existing = this.#existing;
    this.#existing = [];
    if (replace) void this.#run(existing, true);
    else this.#set({ state: 'done', existing: [], skipped: existing.length });
  }

  cancel(): void {
    this.#stop.abort();
    this.#set({ state: 'cancelled', path: null });
  }

  async #run(files: readonly UploadFile[], overwrite: boolean): Promise<void> {
    this.#set({ state: 'running', existing: [] });
    for (const one of files) {
      const before = this.#progress.doneBytes;
      this.#set({ path: one.path });
      try {
        await this.#target.put(joinPath(this.#progress.directory, one.path), one.file, {
          overwrite,
          signal: this.#stop.signal,
          onProgress: (bytes) => this.#set({ doneBytes: before + Math.min(bytes, one.file.size) }),
        });
        this.#set({
          doneBytes: before + one.file.size,
          doneFiles: this.#progress.doneFiles + 1,
        });
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#set({ doneBytes: before });
        if (!overwrite && this.#target.isExisting(error)) {
          this.#existing.push(one);
          continue;
        }
        const problem = error instanceof Error ? error.message : String(error);
        this.#set({ state: 'failed', problem });
        return;
      }
    }
    if (this.#existing.length === 0) this.#set({ state: 'done', path: null });
    else
      this.#set({
        state: 'asking',
        path: null,
        existing: this.#existing.map(({ path }) => path),
      });
  }

  #set(change: Partial<UploadProgress>): void {
    if (this.#progress.state === 'cancelled') return;
    this.#progress = { ...this.#progress, ...change };
    this.#tell(this.#progress);
  }
}
