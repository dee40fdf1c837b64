/** What comes with a message or a call and is no text: images, sounds, files, links. */
import { Download, FileText, ImageOff, Link2, Music } from 'lucide-react';
import { type ReactNode, useEffect, useMemo, useState } from 'react';
import {
  type ContentBlock,
  decodedSize,
  foreign,
  formatBytes,
  imageHeader,
} from 'sandbox-agent-react';
import { Button, Foreign } from '../../ui/index.ts';
import styles from './attachment.module.css';
import { SourceCode } from './SourceCode.tsx';
import { Value } from './Value.tsx';
import { WebLink } from './WebLink.tsx';

const LARGE_BYTES = 5_000_000;
const MAX_IMAGE_BYTES = 10 * 1024 * 1024;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export function Attachment({ block }: { block: ContentBlock }) {
  switch (block.type) {
    case 'image':
      return <Picture data={text(block.data)} mimeType={text(block.mimeType)} />;
    case 'audio':
      return (
        <Chip icon={<Music />} name="Sound" detail={text(block.mimeType)}>
          <SaveButton data={text(block.data)} name="sound" />
        </Chip>
      );
    case 'resource':
      return <Resource resource={block.resource} />;
    case 'resource_link':
      return (
        <Reference
          uri={text(block.uri)}
          name={text(block.title) || text(block.name)}
          detail={text(block.description)}
          size={typeof block.size === 'number' ? block.size : null}
        />
      );
    case 'text':
      return <SourceCode text={text(block.text)} path={null} start={null} />;
    default:
      return <Value value={block} label="Content" />;
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function Picture({ data, mimeType }: { data: string; mimeType: string }) {
  const bytes = decodedSize(data);
  const [isAllowed, setAllowed] = useState(false);
  const [isBroken, setBroken] = useState(false);
  const header = useMemo(() => imageHeader(data), [data]);
  const isVector = mimeType === 'image/svg+xml';
  const type = isVector ? mimeType : header?.mimeType;
  const isShown = bytes < LARGE_BYTES || isAllowed;
  const isValid = useMemo(
    () => type !== undefined && bytes <= MAX_IMAGE_BYTES && BASE64.test(data),
    [type, bytes, data],
  );
  if (!isValid || isBroken || type === undefined) {
    return (
      <Chip
        icon={<ImageOff />}
        name="Image, not shown"
        detail={`${mimeType} ${formatBytes(bytes)}`}
      >
        <SaveButton data={data} name="image" />
      </Chip>
    );
  }
  if (!isShown) {
    return (
      <Chip icon={<ImageOff />} name="Image" detail={formatBytes(bytes)}>
        <Button size="small" onPress={() => setAllowed(true)}>
          Show
        </Button>
      </Chip>
    );
  }
  return (
    <img
      className={styles.picture}
      src={`data:${type};base64,${data}`}
      // Before it is decoded its place is there, so nothing moves.
      width={header?.width}
      height={header?.height}
      alt={header ? `${header.width} × ${header.height} pixels` : 'A drawing'}
      decoding="async"
      onError={() => setBroken(true)}
    />
  );
}

function Resource({ resource }: { resource: unknown }) {
  const fields = typeof resource === 'object' && resource !== null ? resource : {};
  const uri = 'uri' in fields ? text(fields.uri) : '';
  const content = 'text' in fields ? text(fields.text) : '';
  const blob = 'blob' in fields ? text(fields.blob) : '';
  const mimeType = 'mimeType' in fields ? text(fields.mimeType) : '';
  if (blob !== '' && mimeType.startsWith('image/')) {
    return <Picture data={blob} mimeType={mimeType} />;
  }
  if (content === '') {
    return (
      <Chip
        icon={<FileText />}
        name={nameOf(uri) || 'File'}
        detail={blob ? `${mimeType} ${formatBytes(decodedSize(blob))}` : mimeType}
      >
        {blob !== '' && <SaveButton data={blob} name={nameOf(uri) || 'file'} />}
      </Chip>
    );
  }
  return (
    <figure className={styles.resource}>
      <figcaption>
        <FileText aria-hidden />
        <Foreign text={uri || 'Text'} />
      </figcaption>
      <SourceCode text={content} path={uri} start={null} />
    </figure>
  );
}

function Reference({
  uri,
  name,
  detail,
  size,
}: {
  uri: string;
  name: string;
  detail: string;
  size: number | null;
}) {
  const about = [detail, size === null ? '' : formatBytes(size)].filter(Boolean).join(' · ');
  return (
    <Chip icon={<Link2 />} name={null} detail={about}>
      <WebLink url={uri} text={name || nameOf(uri) || uri} />
    </Chip>
  );
}

function nameOf(uri: string): string {
  return uri.split('/').at(-1) ?? '';
}

function Chip({
  icon,
  name,
  detail,
  children,
}: {
  icon: ReactNode;
  name: string | null;
  detail: string;
  children?: ReactNode;
}) {
  return (
    <span className={styles.chip}>
      <span aria-hidden className={styles.icon}>
        {icon}
      </span>
      {name !== null && <Foreign text={name} maxChars={80} />}
      {children}
      {detail.trim() !== '' && <Foreign text={detail} maxChars={120} className={styles.detail} />}
    </span>
  );
}

/** To the disk of the person, as a file that nothing opens by itself. */
function SaveButton({ data, name }: { data: string; name: string }) {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (url === null) return;
    const timer = setTimeout(() => URL.revokeObjectURL(url), 60_000);
    return () => clearTimeout(timer);
  }, [url]);
  const save = () => {
    const bytes = decoded(data);
    if (bytes === null) return;
    const made = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
    setUrl(made);
    const link = document.createElement('a');
    link.href = made;
    link.download = foreign(name).replaceAll(/[/\\]/g, '_').slice(0, 120);
    link.click();
  };
  return (
    <Button size="small" icon={<Download />} onPress={save}>
      Download
    </Button>
  );
}

function decoded(data: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}
