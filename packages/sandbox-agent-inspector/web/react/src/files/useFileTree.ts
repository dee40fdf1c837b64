import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import type { SandboxAgent } from 'sandbox-agent-client';
import { usePageVisible } from '../pageVisible.ts';
import { useClient } from '../server/hooks.ts';
import { joinPath } from './paths.ts';
import { FileTree, type GitMark, type TreeSnapshot } from './tree.ts';

/** How long after the last change of a burst git is asked again. */
const GIT_AFTER_MS = 400;
const KNOWN_LIMIT = 10_000;

export interface GitState {
  /** Null: it is no work tree, or git is not there. */
  branch: string | null;
  isRepository: boolean;
  /** Absolute path of the work tree's root. */
  root: string | null;
  changed: number;
}

export type FileChangeListener = (path: string | null, isRemoved: boolean) => void;

export interface UsedFileTree {
  tree: FileTree;
  snapshot: TreeSnapshot;
  git: GitState;
  /** Changes are told as they happen; false: only what one asks for is read again. */
  isLive: boolean;
  /** Paths as they change, for whoever shows one of them; null: any may have. */
  onChange(listener: FileChangeListener): () => void;
  refresh(): void;
}

/** The tree of a directory, kept up to date while the page is seen. */
export function useFileTree(root: string, expanded: readonly string[] = []): UsedFileTree {
  const client = useClient();
  const isVisible = usePageVisible();
  const [git, setGit] = useState<GitState>(NO_GIT);
  const [isLive, setLive] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is open at first is no reason for another tree
  const { tree, listeners } = useMemo(
    () => ({
      tree: new FileTree({ list: (path) => client.files.list(path) }, root, expanded),
      listeners: new Set<FileChangeListener>(),
    }),
    [client, root],
  );
  const snapshot = useSyncExternalStore(tree.subscribe, tree.getSnapshot, tree.getSnapshot);
  const [round, setRound] = useState(0);

  useEffect(() => {
    void tree.start();
  }, [tree]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` asks again
  useEffect(() => {
    if (!isVisible) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const askGit = () => {
      clearTimeout(timer);
      timer = setTimeout(
        () => void readGit(client, tree, stop.signal).then((state) => state && setGit(state)),
        GIT_AFTER_MS,
      );
    };
    void readGit(client, tree, stop.signal).then((state) => state && setGit(state));
    const watch = async () => {
      const changes = client.files.watch(root, {
        signal: stop.signal,
        onReady: () => setLive(true),
      });
      for await (const change of changes) {
        if (stop.signal.aborted) return;
        if (change.kind === 'rescan') tree.refreshAll();
        else tree.changed(change.path);
        const path = change.kind === 'rescan' ? null : change.path;
        for (const listener of listeners) listener(path, change.kind === 'removed');
        askGit();
      }
    };
    watch()
      .catch(() => undefined)
      .finally(() => setLive(false));
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [client, tree, root, isVisible, listeners, round]);

  return useMemo(
    () => ({
      tree,
      snapshot,
      git,
      isLive,
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      refresh: () => {
        tree.refreshAll();
        setRound((before) => before + 1);
      },
    }),
    [tree, snapshot, git, isLive, listeners],
  );
}

const NO_GIT: GitState = { branch: null, isRepository: false, root: null, changed: 0 };

async function readGit(
  client: SandboxAgent,
  tree: FileTree,
  signal: AbortSignal,
): Promise<GitState | null> {
  const known = client.files
    .find(tree.root, { limit: KNOWN_LIMIT, signal })
    .then((found) => (found.truncated ? null : new Set(found.entries.map((entry) => entry.path))))
    .catch(() => null);
  try {
    const status = await client.git.status(tree.root, { signal });
    if (signal.aborted) return null;
    const marks = new Map<string, GitMark>();
    for (const file of status.files ?? [])
      if (file.status !== 'deleted') marks.set(joinPath(status.path, file.path), file.status);
    tree.setMarks(marks);
    tree.setKnown(await known);
    return {
      branch: status.branch ?? null,
      isRepository: true,
      root: status.path,
      changed: status.totals?.files ?? status.files?.length ?? 0,
    };
  } catch {
    if (!signal.aborted) {
      tree.setMarks(new Map());
      tree.setKnown(null);
    }
    return signal.aborted ? null : NO_GIT;
  }
}
