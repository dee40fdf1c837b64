import type { ImageBlock, ResourceLink, TextBlock } from 'sandbox-agent-client';

/** Larger pictures are uploaded: a prompt is one request, and all of it goes to the model. */
export const MAX_INLINE_IMAGE_BYTES = 5 * 1024 * 1024;
export const MAX_ATTACHMENT_BYTES = 100 * 1024 * 1024;
export const MAX_ATTACHMENTS = 20;
/** A longer text that is pasted goes along as a file: nobody edits it, and a field with it in it takes seconds for a key. */
export const MAX_PASTED_CHARS = 100_000;
/** Where uploads go, in the working directory of the session. */
export const ATTACHMENTS_DIRECTORY = '.attachments';

const INLINE_IMAGES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

export type PromptBlock = TextBlock | ImageBlock | ResourceLink;

export type AttachmentState =
  | { phase: 'preparing' }
  | { phase: 'ready'; block: ImageBlock | ResourceLink }
  | { phase: 'failed'; reason: string };

export interface Attachment {
  id: string;
  name: string;
  size: number;
  mimeType: string;
  /** A picture: a `blob:` URL of this page. */
  preview: string | null;
  state: AttachmentState;
}

/** Whether a picture goes into the prompt itself, where the agent takes pictures. */
export function isInline(file: { type: string; size: number }, takesImages: boolean): boolean {
  return takesImages && isPicture(file) && file.size <= MAX_INLINE_IMAGE_BYTES;
}

export function isPicture(file: { type: string }): boolean {
  return INLINE_IMAGES.includes(file.type);
}

/** Why a file cannot be attached; null: it can. */
export function refusalOf(file: { name: string; size: number }, count: number): string | null {
  if (count >= MAX_ATTACHMENTS) return `At most ${MAX_ATTACHMENTS} files go with one prompt.`;
  if (file.size > MAX_ATTACHMENT_BYTES) {
    const limit = MAX_ATTACHMENT_BYTES / 1024 / 1024;
    return `Larger than ${limit} MB: upload it under Files, and name it with @.`;
  }
  return null;
}

/** A name without a path, without what a file system or a shell would trip over. */
export function safeName(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? '';
  const plain = last
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
    .replace(/[<>:"|?*]/g, '_')
    .replace(/^\.+/, '')
    .trim();
  if (!plain) return 'attachment';
  if (new TextEncoder().encode(plain).length <= 200) return plain;
  const dot = plain.lastIndexOf('.');
  const end = dot > 0 && plain.length - dot <= 12 ? plain.slice(dot) : '';
  return [...plain].slice(0, 48).join('') + end;
}

/** `notes.txt`, `notes-2.txt`: what is there already stays as it is. */
export function numbered(name: string, number: number): string {
  if (number < 2) return name;
  const dot = name.lastIndexOf('.');
  return dot > 0 ? `${name.slice(0, dot)}-${number}${name.slice(dot)}` : `${name}-${number}`;
}

export function fileUri(path: string): string {
  return `file://${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** The blocks of a prompt: its words, then what comes with it. */
export function blocksOf(text: string, attachments: readonly Attachment[]): PromptBlock[] {
  const ready = attachments.flatMap(({ state }) => (state.phase === 'ready' ? [state.block] : []));
  return [...(text ? [{ type: 'text' as const, text }] : []), ...ready];
}

export function byteWords(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
