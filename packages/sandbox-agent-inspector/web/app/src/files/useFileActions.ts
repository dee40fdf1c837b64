import { useState } from 'react';
import type { SandboxAgent } from 'sandbox-agent-client';
import {
  baseName,
  chosenFiles,
  foreign,
  joinPath,
  parentPath,
  pathBelow,
  shortened,
  type TreeRow,
  type UploadFile,
  type UsedFileTree,
  useClient,
} from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import { linkTo, paths } from '../shell/navigation.ts';
import { notify } from '../shell/notify.tsx';
import { documentOf, forgetDocument } from './documents.ts';
import type { FileAction } from './fileActions.ts';
import type { NameQuestion } from './NameDialog.tsx';
import { saveDirectory, saveFile } from './saving.ts';
import type { Place } from './state.ts';
import { useUpload } from './useUpload.ts';

/** Of what is deleted so much is kept in the page, to be put back. */
const UNDO_BYTES = 5_000_000;

/** All that can be done with files beside writing into them. */
export function useFileActions(files: UsedFileTree, place: Place, sessionId?: string) {
  const client = useClient();
  const { tree } = files;
  const [question, setQuestion] = useState<NameQuestion | null>(null);
  const [removing, setRemoving] = useState<TreeRow | null>(null);
  const upload = useUpload(() => tree.refreshAll());

  const refreshAbove = (path: string) => {
    tree.changed(path);
    files.refresh();
  };

  const newFile = (directory: string) =>
    setQuestion({
      title: 'New file',
      action: 'Create',
      label: 'Name',
      directory: shownPath(directory, tree.root),
      initial: '',
      submit: async (name) => {
        const path = joinPath(directory, name);
        await client.files.write(path, '', { overwrite: false });
        if (directory !== tree.root) await tree.expand(directory);
        refreshAbove(path);
        place.open(path);
      },
    });

  const newFolder = (directory: string) =>
    setQuestion({
      title: 'New folder',
      action: 'Create',
      label: 'Name',
      directory: shownPath(directory, tree.root),
      initial: '',
      submit: async (name) => {
        const path = joinPath(directory, name);
        await client.files.mkdir(path);
        if (directory !== tree.root) await tree.expand(directory);
        refreshAbove(path);
        await tree.expand(path);
      },
    });

  const rename = (row: TreeRow) =>
    setQuestion({
      title: row.isDirectory ? 'Rename or move folder' : 'Rename or move file',
      action: 'Rename',
      label: 'Path',
      directory: shownPath(tree.root, tree.root),
      initial: pathBelow(row.path, tree.root),
      submit: async (name) => {
        const to = joinPath(tree.root, name);
        if (to === row.path) return;
        await client.files.mkdir(parentPath(to));
        await client.files.move(row.path, to);
        place.moved(row.path, to);
        refreshAbove(row.path);
        refreshAbove(to);
        notify({
          title: `Moved ${named(row.name)}`,
          detail: `to ${shortened(foreign(pathBelow(to, tree.root)), 80)}`,
          tone: 'ok',
          action: {
            label: 'Undo',
            run: () => {
              void attempt('Could not move it back', async () => {
                await client.files.move(to, row.path);
                place.moved(to, row.path);
                refreshAbove(row.path);
                refreshAbove(to);
              });
            },
          },
        });
      },
    });

  const remove = (row: TreeRow) =>
    attempt(`Could not delete ${named(row.name)}`, async () => {
      const undo = row.isDirectory ? null : await keptOf(client, row);
      await client.files.remove(row.path, { recursive: row.isDirectory });
      place.moved(row.path, null);
      forgetDocument(client, row.path);
      refreshAbove(row.path);
      notify({
        title: `Deleted ${named(row.name)}`,
        ...(undo && {
          action: {
            label: 'Undo',
            run: () => {
              void attempt('Could not put it back', async () => {
                await undo();
                refreshAbove(row.path);
              });
            },
          },
        }),
      });
    });

  const choose = (directory: string, folder: boolean) => {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    input.webkitdirectory = folder;
    input.addEventListener('change', () => upload.start(directory, chosenFiles(input.files ?? [])));
    input.click();
  };

  const act = (action: FileAction, row: TreeRow) => {
    switch (action) {
      case 'open':
        return place.open(row.path);
      case 'newFile':
        return newFile(row.path);
      case 'newFolder':
        return newFolder(row.path);
      case 'upload':
        return choose(row.path, false);
      case 'uploadFolder':
        return choose(row.path, true);
      case 'rename':
        return rename(row);
      case 'remove':
        return setRemoving(row);
      case 'copyPath':
        return void copyText(row.path, 'Path');
      case 'copyRelativePath':
        return void copyText(pathBelow(row.path, tree.root), 'Path');
      case 'copyLink':
        return void copyText(
          linkTo(sessionId ? paths.sessionFiles(sessionId, row.path) : paths.files(row.path)),
          'Link',
        );
      case 'download':
        return void attempt(`Could not download ${named(row.name)}`, () =>
          row.isDirectory ? saveDirectory(client, row.path) : saveFile(client, row.path),
        );
    }
  };

  return {
    act,
    newFile,
    newFolder,
    choose,
    drop: async (directory: string, dropped: Promise<UploadFile[]>) =>
      attempt('Could not read what was dropped', async () =>
        upload.start(directory, await dropped),
      ),
    question,
    closeQuestion: () => setQuestion(null),
    removing,
    confirmRemove: () => removing && void remove(removing),
    cancelRemove: () => setRemoving(null),
    upload,
  };
}

async function keptOf(client: SandboxAgent, row: TreeRow): Promise<(() => Promise<void>) | null> {
  if (row.entry.size > UNDO_BYTES || row.entry.kind === 'symlink') return null;
  const [blob, stat] = await Promise.all([
    client.files.download(row.path),
    client.files.stat(row.path),
  ]);
  return async () => {
    const mode = stat.mode ?? undefined;
    await client.files.write(row.path, blob, { overwrite: false, mode });
    void documentOf(client, row.path).load();
  };
}

async function attempt(failure: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    notify({
      title: failure,
      detail: error instanceof Error ? error.message : String(error),
      tone: 'error',
    });
  }
}

function named(name: string): string {
  return shortened(foreign(name), 60);
}

function shownPath(path: string, root: string): string {
  const relative = pathBelow(path, root);
  return relative === '.' ? baseName(root) : `${baseName(root)}/${relative}`;
}
