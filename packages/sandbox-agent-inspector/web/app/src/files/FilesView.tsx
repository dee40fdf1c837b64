import {
  ChevronLeft,
  Ellipsis,
  FilePlus,
  FolderOpen,
  FolderPlus,
  RefreshCw,
  Upload,
} from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { SandboxAgent } from 'sandbox-agent-client';
import {
  baseName,
  isWithin,
  type LineRange,
  parentPath,
  parseLines,
  useClient,
  useFileTree,
  writtenLines,
} from 'sandbox-agent-react';
import { navigate, paths, useRoute } from '../shell/navigation.ts';
import {
  Button,
  ConfirmDialog,
  EmptyState,
  Foreign,
  IconButton,
  Menu,
  Skeleton,
  Tabs,
} from '../ui/index.ts';
import { ChangesView } from './ChangesView.tsx';
import { FilePane } from './FilePane.tsx';
import { FileSearch } from './FileSearch.tsx';
import styles from './FilesView.module.css';
import { FileTabs } from './FileTabs.tsx';
import { FileTree } from './FileTree.tsx';
import { NameDialog } from './NameDialog.tsx';
import { type FilesMode, usePlace } from './state.ts';
import { UploadStrip } from './UploadStrip.tsx';
import { useFileActions } from './useFileActions.ts';

interface FilesViewProps {
  /** Absolute, or relative to where the server begins. */
  directory: string;
  sessionId?: string;
}

/** A directory: its tree, the files that are open, what was changed, and a search. */
export function FilesView({ directory, sessionId }: FilesViewProps) {
  const client = useClient();
  const link = useLinkedFile();
  const linked = link?.path ?? null;
  const [root, setRoot] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const shown = useRef<string | null>(null);
  useEffect(() => {
    // A file that is opened in a tree leaves the tree as it is.
    if (linked !== null && shown.current !== null && isWithin(linked, shown.current)) return;
    let isGone = false;
    rootOf(client, directory, linked).then(
      (found) => {
        if (isGone) return;
        shown.current = found;
        setProblem(null);
        setRoot(found);
      },
      (error: unknown) => !isGone && setProblem(error instanceof Error ? error.message : ''),
    );
    return () => {
      isGone = true;
    };
  }, [client, directory, linked]);

  if (problem !== null) return <EmptyState title="The files cannot be shown">{problem}</EmptyState>;
  if (root === null) return <Loading />;
  return <Directory key={root} root={root} link={link} sessionId={sessionId} />;
}

/** Whose tree is shown: of the directory, or of what a link outside of it leads to. */
async function rootOf(
  client: SandboxAgent,
  directory: string,
  linked: string | null,
): Promise<string> {
  const home = directory.startsWith('/') ? directory : (await client.files.stat(directory)).path;
  if (linked === null || isWithin(linked, home)) return home;
  const stat = await client.files.stat(linked).catch(() => null);
  if (stat?.entryType === 'directory') return linked;
  const above = parentPath(linked);
  const repository = await client.git.status(above).catch(() => null);
  return repository && isWithin(above, repository.path) ? repository.path : above;
}

interface LinkedFile {
  path: string;
  lines: LineRange | null;
}

interface DirectoryProps {
  root: string;
  link: LinkedFile | null;
  sessionId?: string;
}

function Directory({ root, link, sessionId }: DirectoryProps) {
  const client = useClient();
  const place = usePlace(client.url, root);
  const { state } = place;
  const files = useFileTree(root, state.expanded);
  const { tree, snapshot } = files;
  const actions = useFileActions(files, place, sessionId);
  const [lines, setLines] = useState<{ path: string; lines: LineRange | null } | null>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a link opens once
  useEffect(() => {
    if (!link || link.path === root) return;
    let isGone = false;
    const open = async () => {
      const stat = await client.files.stat(link.path).catch(() => null);
      if (isGone) return;
      if (stat?.entryType === 'directory') {
        place.set({ mode: 'files', showsFile: false });
        await tree.reveal(link.path);
        await tree.expand(link.path);
        return;
      }
      setLines(link);
      place.open(link.path);
    };
    void open();
    return () => {
      isGone = true;
    };
  }, [client, tree, link]);

  const { hidden, ignored } = state;
  useEffect(() => tree.setFilters({ hidden, ignored }), [tree, hidden, ignored]);
  const { set } = place;
  // biome-ignore lint/correctness/useExhaustiveDependencies: kept whenever other rows are shown
  useEffect(() => {
    const expanded = tree.expanded;
    if (expanded.join('\n') !== state.expanded.join('\n')) set({ expanded });
  }, [tree, snapshot.rows]);

  const open = (path: string, at: LineRange | null = null) => {
    setLines({ path, lines: at });
    place.open(path);
    if (!sessionId) navigate(paths.files(path, at && writtenLines(at)), { replace: true });
  };

  const tabs = [
    {
      id: 'files',
      label: 'Files',
      content: (
        <div
          className={styles.split}
          data-showing={state.showsFile && state.active ? 'detail' : 'list'}
        >
          <section className={styles.side} aria-label="Tree">
            <TreeBar root={root} files={files} place={place} actions={actions} />
            {snapshot.state === 'failed' ? (
              <EmptyState
                title="This folder cannot be read"
                actions={<Button onPress={files.refresh}>Try again</Button>}
              >
                {snapshot.problem}
              </EmptyState>
            ) : snapshot.state === 'loading' ? (
              <Loading />
            ) : snapshot.rows.length === 0 ? (
              <EmptyState
                icon={<FolderOpen />}
                title="Nothing here yet"
                actions={
                  <Button icon={<Upload />} onPress={() => actions.choose(root, false)}>
                    Upload files
                  </Button>
                }
              >
                {snapshot.hidden > 0
                  ? `${snapshot.hidden} hidden`
                  : 'Drop files here, or make one.'}
              </EmptyState>
            ) : (
              <FileTree
                files={files}
                label={`Files of ${baseName(root)}`}
                active={state.active}
                onOpen={open}
                onAction={actions.act}
                onDrop={(target, dropped) => void actions.drop(target, dropped)}
              />
            )}
            {actions.upload.progress && (
              <UploadStrip
                progress={actions.upload.progress}
                onCancel={actions.upload.cancel}
                onDismiss={actions.upload.dismiss}
                onDecide={actions.upload.decide}
              />
            )}
          </section>
          <section className={styles.main} aria-label="Open files">
            {state.active === null ? (
              <EmptyState icon={<FolderOpen />} title="No file is open">
                <p>Choose one in the tree. Files can be dropped on it, too.</p>
              </EmptyState>
            ) : (
              <>
                <div className={styles.tabs}>
                  <span className={styles.back}>
                    <IconButton label="Back to the tree" onPress={() => set({ showsFile: false })}>
                      <ChevronLeft />
                    </IconButton>
                  </span>
                  <FileTabs
                    root={root}
                    tabs={state.tabs}
                    active={state.active}
                    onSelect={open}
                    onClose={place.close}
                  />
                </div>
                <FilePane
                  key={state.active}
                  path={state.active}
                  root={root}
                  sessionId={sessionId}
                  files={files}
                  lines={lines?.path === state.active ? lines.lines : null}
                  onClose={() => state.active !== null && place.close(state.active)}
                />
              </>
            )}
          </section>
        </div>
      ),
    },
    {
      id: 'changes',
      label: 'Git',
      count: files.git.changed,
      content: <ChangesView directory={root} files={files} />,
    },
    { id: 'search', label: 'Search', content: <FileSearch root={root} onOpen={open} /> },
  ];

  return (
    <div className={styles.view}>
      <Tabs
        label="Files"
        tabs={tabs}
        selected={state.mode}
        onSelect={(id) => set({ mode: id as FilesMode })}
      />
      <NameDialog question={actions.question} onClose={actions.closeQuestion} />
      <ConfirmDialog
        title={actions.removing?.isDirectory ? 'Delete this folder?' : 'Delete this file?'}
        action="Delete"
        danger
        isOpen={actions.removing !== null}
        onOpenChange={(isOpen) => !isOpen && actions.cancelRemove()}
        onConfirm={actions.confirmRemove}
      >
        <p className={styles.named}>
          <Foreign text={actions.removing?.path ?? ''} />
        </p>
        {actions.removing?.isDirectory && (
          <p>All that is in it is deleted with it. That cannot be undone.</p>
        )}
      </ConfirmDialog>
    </div>
  );
}

interface TreeBarProps {
  root: string;
  files: ReturnType<typeof useFileTree>;
  place: ReturnType<typeof usePlace>;
  actions: ReturnType<typeof useFileActions>;
}

function TreeBar({ root, files, place, actions }: TreeBarProps) {
  const { state, set } = place;
  return (
    <div className={styles.bar}>
      <span className={styles.root}>
        <Foreign text={root} maxChars={60} />
      </span>
      <IconButton label="New file" size="small" onPress={() => actions.newFile(root)}>
        <FilePlus />
      </IconButton>
      <IconButton label="New folder" size="small" onPress={() => actions.newFolder(root)}>
        <FolderPlus />
      </IconButton>
      <IconButton label="Upload files" size="small" onPress={() => actions.choose(root, false)}>
        <Upload />
      </IconButton>
      {!files.isLive && (
        <IconButton label="Read again" size="small" onPress={files.refresh}>
          <RefreshCw />
        </IconButton>
      )}
      <Menu
        label="More of the files"
        placement="bottom end"
        trigger={
          <IconButton label="More" size="small">
            <Ellipsis />
          </IconButton>
        }
        groups={[
          {
            id: 'shown',
            entries: [
              { id: 'hidden', label: state.hidden ? 'Leave out dot files' : 'Show dot files' },
              {
                id: 'ignored',
                label: state.ignored ? 'Leave out ignored files' : 'Show ignored files',
              },
              { id: 'collapse', label: 'Close all folders' },
              { id: 'refresh', label: 'Read again' },
            ],
          },
          {
            id: 'all',
            entries: [
              { id: 'uploadFolder', label: 'Upload a folder…' },
              { id: 'download', label: 'Download all as tar' },
              { id: 'copy', label: 'Copy path' },
            ],
          },
        ]}
        onAction={(id) => {
          if (id === 'hidden') set({ hidden: !state.hidden });
          else if (id === 'ignored') set({ ignored: !state.ignored });
          else if (id === 'collapse') files.tree.collapseAll();
          else if (id === 'refresh') files.refresh();
          else if (id === 'uploadFolder') actions.choose(root, true);
          else actions.act(id === 'download' ? 'download' : 'copyPath', rootRow(root));
        }}
      />
    </div>
  );
}

function rootRow(root: string): Parameters<ReturnType<typeof useFileActions>['act']>[1] {
  const name = baseName(root);
  return {
    path: root,
    name,
    level: 1,
    position: 1,
    setSize: 1,
    isDirectory: true,
    isExpanded: true,
    isLoading: false,
    isIgnored: false,
    mark: null,
    problem: null,
    entry: { path: root, name, entryType: 'directory', size: 0 },
  };
}

function useLinkedFile(): LinkedFile | null {
  const route = useRoute();
  const at =
    route.room === 'files'
      ? route
      : route.room === 'session' && route.at.kind === 'files'
        ? route.at
        : null;
  const path = at?.path ?? null;
  const lines = at?.lines ?? null;
  return useMemo(() => (path === null ? null : { path, lines: parseLines(lines) }), [path, lines]);
}

function Loading() {
  return (
    <div className={styles.loading}>
      <Skeleton lines={[52, 38, 61, 44, 57]} />
    </div>
  );
}
