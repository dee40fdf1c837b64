import { Download, Eye, Link, Pencil, Save, WrapText } from 'lucide-react';
import { lazy, Suspense, useEffect, useMemo, useState } from 'react';
import {
  extensionOf,
  formatBytes,
  type LineRange,
  pathBelow,
  type UsedFileTree,
  useClient,
  useFileDocument,
  writtenLines,
} from 'sandbox-agent-react';

import { Prose } from '../chat/Prose.tsx';
import { announce } from '../shell/announce.tsx';
import { copyText } from '../shell/clipboard.ts';
import { linkTo, paths } from '../shell/navigation.ts';
import { notify } from '../shell/notify.tsx';
import { Banner, Button, EmptyState, Foreign, IconButton, Skeleton } from '../ui/index.ts';
import { BinaryView, ImageView } from './BinaryView.tsx';
import { ConflictView } from './ConflictView.tsx';
import { documentOf } from './documents.ts';
import { IMAGES } from './FileIcon.tsx';
import styles from './FilePane.module.css';
import { saveFile } from './saving.ts';

const TextEditor = lazy(() => import('./editor/TextEditor.tsx'));

interface FilePaneProps {
  path: string;
  root: string;
  sessionId?: string;
  files: UsedFileTree;
  lines: LineRange | null;
  onClose: () => void;
}

/** One file: its text to read and to write, or what else it is. */
export function FilePane({ path, root, sessionId, files, lines, onClose }: FilePaneProps) {
  const client = useClient();
  const document = useMemo(() => documentOf(client, path), [client, path]);
  const file = useFileDocument(document);
  const [isPreview, setPreview] = useState(false);
  const [wraps, setWraps] = useState(false);
  const [chosen, setChosen] = useState<LineRange | null>(lines);
  const [asksConflict, setAsksConflict] = useState(false);
  const isImage = extensionOf(path) in IMAGES;
  const isMarkdown = ['md', 'mdx', 'markdown'].includes(extensionOf(path));

  useEffect(() => setChosen(lines), [lines]);

  useEffect(
    () =>
      files.onChange((changed, isRemoved) => {
        if (changed === path && isRemoved) document.goneFromDisk();
        else if (changed === null || changed === path) void document.changedOnDisk();
      }),
    [files, document, path],
  );
  // A file outside of what is watched, or a tab that was not looked at, may be an old one.
  useEffect(() => {
    if (document.getSnapshot().state !== 'loading') void document.changedOnDisk();
  }, [document]);

  const save = async () => {
    if (file.conflict) {
      setAsksConflict(true);
      return;
    }
    if (!file.isDirty) return;
    if (await document.save()) announce('Saved');
    else if (document.getSnapshot().conflict) setAsksConflict(true);
  };

  const copyLink = () => {
    const written = chosen ? writtenLines(chosen) : null;
    const to = sessionId
      ? paths.sessionFiles(sessionId, path, written)
      : paths.files(path, written);
    void copyText(linkTo(to), written ? `Link to ${written}` : 'Link');
  };

  const download = () =>
    saveFile(client, path).catch((error: unknown) =>
      notify({ title: 'Could not download', detail: String(error), tone: 'error' }),
    );

  if (file.state === 'loading')
    return (
      <div className={styles.loading}>
        <Skeleton lines={[42, 68, 55, 30, 61, 48, 72, 20]} />
      </div>
    );
  if (file.state === 'gone' || file.state === 'failed')
    return (
      <EmptyState
        title={file.state === 'gone' ? 'This file is not there' : 'This file cannot be read'}
        actions={
          <>
            <Button onPress={() => void document.load()}>Try again</Button>
            <Button look="quiet" onPress={onClose}>
              Close
            </Button>
          </>
        }
      >
        <p>
          <Foreign text={path} />
        </p>
        <p>{file.state === 'gone' ? 'It was moved or deleted.' : file.problem}</p>
      </EmptyState>
    );

  const isText = file.kind === 'text' && !isImage;
  return (
    <div className={styles.pane}>
      <header className={styles.header}>
        <span className={styles.path}>
          <Foreign text={pathBelow(path, root)} maxChars={120} />
        </span>
        <span className={styles.facts}>
          {formatBytes(file.size)}
          {file.lineSeparator === '\r\n' && ' · CRLF'}
        </span>
        <span className={styles.actions}>
          {isText && isMarkdown && (
            <IconButton
              label={isPreview ? 'Edit' : 'Preview'}
              onPress={() => setPreview(!isPreview)}
            >
              {isPreview ? <Pencil /> : <Eye />}
            </IconButton>
          )}
          {isText && !isPreview && (
            <IconButton
              label={wraps ? 'Do not wrap lines' : 'Wrap lines'}
              aria-pressed={wraps}
              onPress={() => setWraps(!wraps)}
            >
              <WrapText />
            </IconButton>
          )}
          <IconButton label="Copy link" onPress={copyLink}>
            <Link />
          </IconButton>
          <IconButton label="Download" onPress={() => void download()}>
            <Download />
          </IconButton>
          {isText && !file.isPartial && (
            <Button
              size="small"
              look={file.isDirty ? 'primary' : 'default'}
              icon={<Save aria-hidden />}
              isDisabled={!file.isDirty || file.state === 'saving'}
              onPress={() => void save()}
            >
              {file.state === 'saving' ? 'Saving…' : file.isDirty ? 'Save' : 'Saved'}
            </Button>
          )}
        </span>
      </header>
      {file.problem && (
        <Banner tone="err" title="It was not saved">
          {file.problem}
        </Banner>
      )}
      {file.isPartial && isText && (
        <Banner
          tone="info"
          actions={
            <>
              <Button size="small" onPress={() => void document.loadMore()}>
                Show more
              </Button>
              <Button size="small" onPress={() => void download()}>
                Download
              </Button>
            </>
          }
        >
          The first {formatBytes(file.bytes?.length ?? 0)} of {formatBytes(file.size)}. To be
          edited, all of it has to be here.
        </Banner>
      )}
      {file.conflict && !asksConflict && (
        <Banner
          tone="err"
          title={file.conflict.text === null ? 'Deleted on disk' : 'Changed on disk'}
          actions={
            <Button size="small" onPress={() => setAsksConflict(true)}>
              Compare
            </Button>
          }
        >
          Somebody else wrote this file since you began. Your text is kept.
        </Banner>
      )}
      <div className={styles.body}>
        {file.conflict && asksConflict ? (
          <ConflictView
            path={pathBelow(path, root)}
            mine={file.text}
            theirs={file.conflict.text}
            onKeepMine={async () => {
              if (await document.overwrite()) setAsksConflict(false);
            }}
            onTakeTheirs={async () => {
              if (file.conflict?.text === null) onClose();
              await document.revert();
              setAsksConflict(false);
            }}
            onBack={() => setAsksConflict(false)}
          />
        ) : isImage ? (
          <ImageView path={path} etag={file.etag} size={file.size} onDownload={download} />
        ) : !isText ? (
          <BinaryView bytes={file.bytes} size={file.size} onDownload={download} />
        ) : isPreview ? (
          <div className={styles.preview}>
            <Prose text={file.text} />
          </div>
        ) : (
          <Suspense fallback={<pre className={styles.plain}>{file.text.slice(0, 20_000)}</pre>}>
            <TextEditor
              key={path}
              path={path}
              label={`Text of ${pathBelow(path, root)}`}
              text={file.text}
              revision={file.revision}
              lineSeparator={file.lineSeparator}
              isReadOnly={file.isPartial}
              wraps={wraps || longestLine(file.text) > 20_000}
              lines={chosen}
              className={styles.editor}
              onChange={(text) => document.type(text)}
              onSave={() => void save()}
              onSelectLines={setChosen}
            />
          </Suspense>
        )}
      </div>
    </div>
  );
}

function longestLine(text: string): number {
  let longest = 0;
  let start = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
    longest = Math.max(longest, end - start);
    start = end + 1;
  }
  return Math.max(longest, text.length - start);
}
