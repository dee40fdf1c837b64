import { decodedSize, imageHeader } from 'sandbox-agent-react';
import { describe, expect, it } from 'vitest';

function base64(...bytes: number[]): string {
  return Buffer.from(bytes).toString('base64');
}

const PNG = [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52];
const text = (word: string) => [...Buffer.from(word)];

describe('the size of an image', () => {
  it('is read from its first bytes, whatever it is', () => {
    const png = base64(...PNG, 0, 0, 2, 128, 0, 0, 1, 224);
    expect(imageHeader(png)).toEqual({ mimeType: 'image/png', width: 640, height: 480 });
    const gif = base64(...text('GIF89a'), 0x40, 1, 0xf0, 0);
    expect(imageHeader(gif)).toEqual({ mimeType: 'image/gif', width: 320, height: 240 });
    const webp = [...text('RIFF'), 0, 0, 0, 0, ...text('WEBPVP8X'), 10, 0, 0, 0, 0, 0, 0, 0];
    const extended = base64(...webp, 0x7f, 2, 0, 0xdf, 1, 0);
    expect(imageHeader(extended)).toEqual({ mimeType: 'image/webp', width: 640, height: 480 });
  });

  it('is found behind what a JPEG says first', () => {
    const preview = Array.from({ length: 5000 }, () => 7);
    const segment = [0xff, 0xe1, (5002 >> 8) & 255, 5002 & 255, ...preview];
    const frame = [0xff, 0xc2, 0, 17, 8, 1, 0xe0, 2, 0x80, 3, 0, 0, 0, 0];
    const jpeg = base64(0xff, 0xd8, ...segment, ...frame);
    expect(imageHeader(jpeg)).toEqual({ mimeType: 'image/jpeg', width: 640, height: 480 });
  });

  it('is none of what is no image, or no base64', () => {
    expect(imageHeader(base64(1, 2, 3, 4))).toBeNull();
    expect(imageHeader('<svg onload=alert(1)>')).toBeNull();
    expect(imageHeader('')).toBeNull();
  });

  it('of bytes is that of the text that they are written in', () => {
    for (const length of [0, 1, 2, 3, 100]) {
      expect(decodedSize(Buffer.alloc(length).toString('base64'))).toBe(length);
    }
  });
});
