import { useEffect, useState } from 'react';
import { extensionOf, formatBytes, useClient } from 'sandbox-agent-react';
import { Button, EmptyState, Skeleton } from '../ui/index.ts';
import styles from './BinaryView.module.css';
import { IMAGES } from './FileIcon.tsx';

/** Larger pictures are shown when one asks for them. */
const BIG_BYTES = 10_000_000;
const DUMPED_BYTES = 1024;

interface ImageViewProps {
  path: string;
  etag: string | null;
  size: number;
  onDownload: () => void;
}

export function ImageView({ path, etag, size, onDownload }: ImageViewProps) {
  const client = useClient();
  const [isWanted, setWanted] = useState(size <= BIG_BYTES);
  const [shown, setShown] = useState<{ url: string } | { problem: string } | null>(null);
  const [pixels, setPixels] = useState<string | null>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another etag is another picture
  useEffect(() => {
    if (!isWanted) return;
    const stop = new AbortController();
    let url: string | null = null;
    client.files.download(path, { signal: stop.signal }).then(
      (blob) => {
        if (stop.signal.aborted) return;
        // In an <img> an SVG runs no script and loads nothing.
        url = URL.createObjectURL(new Blob([blob], { type: IMAGES[extensionOf(path)] }));
        setShown({ url });
      },
      (error: unknown) => !stop.signal.aborted && setShown({ problem: String(error) }),
    );
    return () => {
      stop.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, [client, path, etag, isWanted]);

  if (!isWanted)
    return (
      <EmptyState
        title={`A picture of ${formatBytes(size)}`}
        actions={
          <>
            <Button onPress={() => setWanted(true)}>Show it</Button>
            <Button onPress={onDownload}>Download</Button>
          </>
        }
      />
    );
  if (shown === null)
    return (
      <div className={styles.stage}>
        <Skeleton lines={[60, 60, 60]} />
      </div>
    );
  if ('problem' in shown)
    return (
      <EmptyState
        title="This picture cannot be shown"
        actions={<Button onPress={onDownload}>Download</Button>}
      >
        {shown.problem}
      </EmptyState>
    );
  return (
    <figure className={styles.stage}>
      <img
        src={shown.url}
        alt="Content of the file"
        className={styles.image}
        onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
          setPixels(`${naturalWidth} × ${naturalHeight}`)
        }
        onError={() =>
          setShown({ problem: 'It is damaged, or of a kind that the browser does not know.' })
        }
      />
      <figcaption className={styles.caption}>
        {pixels && `${pixels} · `}
        {formatBytes(size)}
      </figcaption>
    </figure>
  );
}

interface BinaryViewProps {
  bytes: Uint8Array | null;
  size: number;
  onDownload: () => void;
}

export function BinaryView({ bytes, size, onDownload }: BinaryViewProps) {
  const head = bytes?.subarray(0, DUMPED_BYTES) ?? new Uint8Array();
  return (
    <div className={styles.binary}>
      <div className={styles.words}>
        <p>This is no text: {formatBytes(size)} of binary data.</p>
        <Button size="small" onPress={onDownload}>
          Download
        </Button>
      </div>
      <section aria-label="Its first bytes">
        <pre className={styles.dump}>{dumpOf(head)}</pre>
      </section>
    </div>
  );
}

/** Offset, bytes and letters, as `xxd` has them. */
function dumpOf(bytes: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = Array.from(bytes.subarray(at, at + 16));
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·'));
    rows.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  ${text.join('')}`);
  }
  return rows.join('\n');
}
