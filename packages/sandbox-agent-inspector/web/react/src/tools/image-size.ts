/** What an image is and how large, from its first bytes: the page reserves its place before it is decoded. */

export interface ImageHeader {
  readonly mimeType: 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp';
  readonly width: number;
  readonly height: number;
}

/** A JPEG may carry a preview before it says how large it is. */
const MAX_HEADER_BYTES = 256 * 1024;

export function imageHeader(base64: string): ImageHeader | null {
  const bytes = decodedStart(base64, 64) ?? new Uint8Array();
  return png(bytes) ?? gif(bytes) ?? webp(bytes) ?? jpeg(base64, bytes);
}

/** Of the bytes that a base64 text stands for. */
export function decodedSize(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  return Math.max(0, Math.floor((base64.length * 3) / 4) - padding);
}

function decodedStart(base64: string, bytes: number): Uint8Array | null {
  const chars = Math.min(base64.length - (base64.length % 4), Math.ceil(bytes / 3) * 4);
  try {
    return Uint8Array.from(atob(base64.slice(0, chars)), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}

function png(bytes: Uint8Array): ImageHeader | null {
  if (!startsWith(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return null;
  return sized('image/png', big(bytes, 16, 4), big(bytes, 20, 4));
}

function gif(bytes: Uint8Array): ImageHeader | null {
  if (!startsWith(bytes, [0x47, 0x49, 0x46, 0x38])) return null;
  return sized('image/gif', little(bytes, 6, 2), little(bytes, 8, 2));
}

function webp(bytes: Uint8Array): ImageHeader | null {
  const isRiff = startsWith(bytes, [0x52, 0x49, 0x46, 0x46]);
  if (!isRiff || ascii(bytes, 8, 4) !== 'WEBP') return null;
  const kind = ascii(bytes, 12, 4);
  if (kind === 'VP8X') {
    return sized('image/webp', little(bytes, 24, 3) + 1, little(bytes, 27, 3) + 1);
  }
  if (kind === 'VP8 ') {
    return sized('image/webp', little(bytes, 26, 2) & 0x3fff, little(bytes, 28, 2) & 0x3fff);
  }
  if (kind === 'VP8L') {
    const bits = little(bytes, 21, 4);
    return sized('image/webp', (bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1);
  }
  return null;
}

function jpeg(base64: string, start: Uint8Array): ImageHeader | null {
  if (!startsWith(start, [0xff, 0xd8, 0xff])) return null;
  const bytes = decodedStart(base64, MAX_HEADER_BYTES) ?? start;
  let at = 2;
  while (at + 9 < bytes.length) {
    if (bytes[at] !== 0xff) return null;
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return sized('image/jpeg', big(bytes, at + 7, 2), big(bytes, at + 5, 2));
    const isBare = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    at += isBare ? 2 : 2 + big(bytes, at + 2, 2);
  }
  return null;
}

function sized(
  mimeType: ImageHeader['mimeType'],
  width: number,
  height: number,
): ImageHeader | null {
  return width > 0 && height > 0 ? { mimeType, width, height } : null;
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

function ascii(bytes: Uint8Array, from: number, count: number): string {
  return String.fromCharCode(...bytes.slice(from, from + count));
}

function big(bytes: Uint8Array, from: number, count: number): number {
  let value = 0;
  for (let index = 0; index < count; index += 1) value = value * 256 + (bytes[from + index] ?? 0);
  return value;
}

function little(bytes: Uint8Array, from: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index -= 1) {
    value = value * 256 + (bytes[from + index] ?? 0);
  }
  return value;
}
