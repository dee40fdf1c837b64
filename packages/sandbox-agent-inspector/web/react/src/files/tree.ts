import { isWithin, joinPath, parentPath } from './paths.ts';

/** What is in a directory, as the server tells it. */
export interface TreeEntry {
  path: string;
  name: string;
  entryType: 'file' | 'directory';
  kind?: string | null;
  size: number;
  modified?: string | null;
  symlinkTarget?: string | null;
  etag?: string | null;
}

export type GitMark =
  | 'added'
  | 'modified'
  | 'deleted'
  | 'renamed'
  | 'copied'
  | 'type_changed'
  | 'contains';

export interface TreeRow {
  path: string;
  name: string;
  /** From 1, as `aria-level`. */
  level: number;
  position: number;
  setSize: number;
  isDirectory: boolean;
  isExpanded: boolean;
  isLoading: boolean;
  isIgnored: boolean;
  mark: GitMark | null;
  /** Why the directory could not be read. */
  problem: string | null;
  entry: TreeEntry;
}

export interface TreeSource {
  list(path: string): Promise<readonly TreeEntry[]>;
}

export interface TreeSnapshot {
  root: string;
  rows: readonly TreeRow[];
  state: 'loading' | 'ready' | 'failed';
  problem: string | null;
  /** What is left out by the filters, in directories that are open. */
  hidden: number;
}

export interface TreeFilters {
  /** Names that begin with a dot. */
  hidden: boolean;
  /** What a `.gitignore` names. */
  ignored: boolean;
}

interface Directory {
  entries: readonly TreeEntry[] | null;
  loading: boolean;
  problem: string | null;
}

/** A lazily read directory tree: which rows are visible now, for a list with the semantics of an ARIA tree. */
export class FileTree {
  readonly root: string;
  readonly #source: TreeSource;
  readonly #directories = new Map<string, Directory>();
  readonly #expanded: Set<string>;
  readonly #listeners = new Set<() => void>();
  #marks: ReadonlyMap<string, GitMark> = new Map();
  #known: ReadonlySet<string> | null = null;
  #filters: TreeFilters = { hidden: true, ignored: true };
  #snapshot: TreeSnapshot;
  #running = new Map<string, Promise<void>>();

  constructor(source: TreeSource, root: string, expanded: Iterable<string> = []) {
    this.#source = source;
    this.root = root;
    this.#expanded = new Set(expanded);
    this.#snapshot = { root, rows: [], state: 'loading', problem: null, hidden: 0 };
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  getSnapshot = (): TreeSnapshot => this.#snapshot;

  /** Directories that are open, to be kept over a reload. */
  get expanded(): readonly string[] {
    return [...this.#expanded];
  }

  async start(): Promise<void> {
    await this.refresh(this.root);
    await Promise.all([...this.#expanded].map((path) => this.refresh(path)));
  }

  async expand(path: string): Promise<void> {
    this.#expanded.add(path);
    this.#publish();
    if (!this.#directories.get(path)?.entries) await this.refresh(path);
  }

  collapse(path: string): void {
    this.#expanded.delete(path);
    this.#publish();
  }

  async toggle(path: string): Promise<void> {
    if (this.#expanded.has(path)) this.collapse(path);
    else await this.expand(path);
  }

  collapseAll(): void {
    this.#expanded.clear();
    this.#publish();
  }

  /** Opens what is above a path, so that it has a row. */
  async reveal(path: string): Promise<void> {
    const above: string[] = [];
    for (
      let one = parentPath(path);
      one !== this.root && isWithin(one, this.root);
      one = parentPath(one)
    )
      above.unshift(one);
    for (const one of above) await this.expand(one);
  }

  /** Reads a directory again, if anybody sees it. Calls for one directory at a time are one. */
  refresh(path: string): Promise<void> {
    const running = this.#running.get(path);
    if (running) return running;
    const work = this.#read(path).finally(() => this.#running.delete(path));
    this.#running.set(path, work);
    return work;
  }

  /** What a watcher tells: only directories that were read are read again. */
  changed(path: string): void {
    const directory = parentPath(path);
    if (this.#directories.has(directory)) void this.refresh(directory);
  }

  refreshAll(): void {
    for (const path of this.#directories.keys())
      if (path === this.root || this.#expanded.has(path)) void this.refresh(path);
  }

  /** Absolute path → what git says of it; directories above a changed file are marked with it. */
  setMarks(files: ReadonlyMap<string, GitMark>): void {
    const marks = new Map(files);
    for (const path of files.keys())
      for (
        let one = parentPath(path);
        one !== this.root && isWithin(one, this.root);
        one = parentPath(one)
      )
        if (!marks.has(one)) marks.set(one, 'contains');
    this.#marks = marks;
    this.#publish();
  }

  /** All that no `.gitignore` names; null when that is not known, and nothing is told to be ignored then. */
  setKnown(paths: ReadonlySet<string> | null): void {
    this.#known = paths;
    this.#publish();
  }

  get filters(): TreeFilters {
    return this.#filters;
  }

  setFilters(filters: TreeFilters): void {
    this.#filters = filters;
    this.#publish();
  }

  entry(path: string): TreeEntry | undefined {
    return this.#directories.get(parentPath(path))?.entries?.find((one) => one.path === path);
  }

  async #read(path: string): Promise<void> {
    const before = this.#directories.get(path);
    this.#directories.set(path, {
      entries: before?.entries ?? null,
      loading: true,
      problem: before?.problem ?? null,
    });
    this.#publish();
    try {
      const listed = await this.#source.list(path);
      // A path is made of where it was looked for, not of what is told: a listing cannot lead elsewhere.
      const entries = listed
        .filter((one) => one.name !== '' && !one.name.includes('/'))
        .map((one) => ({ ...one, path: joinPath(path, one.name) }));
      this.#directories.set(path, { entries, loading: false, problem: null });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#directories.set(path, { entries: null, loading: false, problem });
    }
    this.#publish();
  }

  #publish(): void {
    const top = this.#directories.get(this.root);
    const counted = { hidden: 0 };
    const rows = top?.entries ? this.#rows(this.root, 1, counted) : [];
    this.#snapshot = {
      root: this.root,
      rows,
      state: top?.entries ? 'ready' : top?.problem ? 'failed' : 'loading',
      problem: top?.problem ?? null,
      hidden: counted.hidden,
    };
    for (const listener of this.#listeners) listener();
  }

  #rows(path: string, level: number, counted: { hidden: number }): TreeRow[] {
    const all = this.#directories.get(path)?.entries ?? [];
    const shown = all.filter((one) => this.#isShown(one)).sort(byKindAndName);
    counted.hidden += all.length - shown.length;
    const rows: TreeRow[] = [];
    for (const [index, entry] of shown.entries()) {
      const isDirectory = entry.entryType === 'directory';
      const isExpanded = isDirectory && this.#expanded.has(entry.path);
      const directory = this.#directories.get(entry.path);
      rows.push({
        path: entry.path,
        name: entry.name,
        level,
        position: index + 1,
        setSize: shown.length,
        isDirectory,
        isExpanded,
        isLoading: isExpanded && directory?.loading === true && !directory.entries,
        isIgnored: this.#isIgnored(entry),
        mark: this.#marks.get(entry.path) ?? null,
        problem: isExpanded ? (directory?.problem ?? null) : null,
        entry,
      });
      if (isExpanded) rows.push(...this.#rows(entry.path, level + 1, counted));
    }
    return rows;
  }

  #isShown(entry: TreeEntry): boolean {
    if (!this.#filters.hidden && entry.name.startsWith('.')) return false;
    return this.#filters.ignored || !this.#isIgnored(entry);
  }

  #isIgnored(entry: TreeEntry): boolean {
    return this.#known !== null && !this.#known.has(entry.path);
  }
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** Directories first, then by name as people count: `file2` before `file10`. */
export function byKindAndName(one: TreeEntry, other: TreeEntry): number {
  if (one.entryType !== other.entryType) return one.entryType === 'directory' ? -1 : 1;
  return collator.compare(one.name, other.name) || (one.name < other.name ? -1 : 1);
}
