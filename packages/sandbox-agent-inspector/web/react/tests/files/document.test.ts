import { describe, expect, it } from 'vitest';
import {
  type DocumentSource,
  type Draft,
  decodeText,
  FileDocument,
} from '../../src/files/document.ts';

class Disk implements DocumentSource {
  text: string | null = 'one\n';
  version = 1;

  async read(_path: string, maxBytes: number) {
    if (this.text === null) throw new Error('gone');
    const bytes = new TextEncoder().encode(this.text);
    return { bytes: bytes.subarray(0, maxBytes), etag: `v${this.version}`, size: bytes.length };
  }

  async write(
    _path: string,
    data: Uint8Array,
    { ifMatch, overwrite }: { ifMatch?: string; overwrite?: boolean },
  ) {
    if (ifMatch !== undefined && (this.text === null || ifMatch !== `v${this.version}`))
      throw new Error('changed');
    if (overwrite === false && this.text !== null) throw new Error('changed');
    this.text = new TextDecoder().decode(data);
    this.version += 1;
    return { etag: `v${this.version}` };
  }

  kindOf(error: unknown): 'changed' | 'gone' | 'other' {
    const message = error instanceof Error ? error.message : '';
    return message === 'changed' || message === 'gone' ? message : 'other';
  }

  change(text: string | null): void {
    this.text = text;
    this.version += 1;
  }
}

function drafts() {
  const kept = new Map<string, Draft>();
  return {
    kept,
    get: (path: string) => kept.get(path) ?? null,
    set: (path: string, draft: Draft) => void kept.set(path, draft),
    remove: (path: string) => void kept.delete(path),
  };
}

async function opened() {
  const disk = new Disk();
  const storage = drafts();
  const document = new FileDocument(disk, '/w/a.txt', storage);
  await document.load();
  return { disk, storage, document };
}

describe('FileDocument', () => {
  it('saves what was typed, and nothing is unsaved then', async () => {
    const { disk, storage, document } = await opened();
    document.type('two\n');
    expect(document.getSnapshot().isDirty).toBe(true);
    expect(storage.kept.size).toBe(1);
    expect(await document.save()).toBe(true);
    expect(disk.text).toBe('two\n');
    expect(document.getSnapshot()).toMatchObject({ isDirty: false, conflict: null });
    expect(storage.kept.size).toBe(0);
  });

  it('never writes over what somebody else wrote meanwhile', async () => {
    const { disk, document } = await opened();
    document.type('mine\n');
    disk.change('theirs\n');
    expect(await document.save()).toBe(false);
    expect(disk.text).toBe('theirs\n');
    expect(document.getSnapshot().conflict).toEqual({ text: 'theirs\n', etag: 'v2' });
    expect(document.getSnapshot().text).toBe('mine\n');
    // Again something else: what was decided about is not what is there.
    disk.change('newer\n');
    expect(await document.overwrite()).toBe(false);
    expect(document.getSnapshot().conflict?.text).toBe('newer\n');
    expect(await document.overwrite()).toBe(true);
    expect(disk.text).toBe('mine\n');
  });

  it('takes what is on the disk when nobody has typed', async () => {
    const { disk, document } = await opened();
    disk.change('theirs\n');
    await document.changedOnDisk();
    expect(document.getSnapshot()).toMatchObject({ text: 'theirs\n', isDirty: false, revision: 2 });
  });

  it('keeps what was typed when the file changes or goes', async () => {
    const { disk, document } = await opened();
    document.type('mine\n');
    disk.change('theirs\n');
    await document.changedOnDisk();
    expect(document.getSnapshot()).toMatchObject({
      text: 'mine\n',
      conflict: { text: 'theirs\n' },
    });
    disk.change(null);
    await document.changedOnDisk();
    expect(document.getSnapshot().conflict).toEqual({ text: null, etag: null });
    expect(await document.overwrite()).toBe(true);
    expect(disk.text).toBe('mine\n');
  });

  it('believes a watcher that the file is gone, and takes it when it is there again', async () => {
    const { disk, document } = await opened();
    document.goneFromDisk();
    expect(document.getSnapshot().state).toBe('gone');
    await document.changedOnDisk();
    expect(document.getSnapshot()).toMatchObject({ state: 'ready', text: 'one\n' });
    document.type('mine\n');
    disk.change(null);
    document.goneFromDisk();
    expect(document.getSnapshot()).toMatchObject({ text: 'mine\n', conflict: { text: null } });
  });

  it('has what was typed again after a reload, and knows if the file is another one', async () => {
    const { disk, storage, document } = await opened();
    document.type('mine\n');
    const again = new FileDocument(disk, '/w/a.txt', storage);
    await again.load();
    expect(again.getSnapshot()).toMatchObject({ text: 'mine\n', isDirty: true, conflict: null });
    disk.change('theirs\n');
    const later = new FileDocument(disk, '/w/a.txt', storage);
    await later.load();
    expect(later.getSnapshot()).toMatchObject({ text: 'mine\n', conflict: { text: 'theirs\n' } });
    await later.revert();
    expect(later.getSnapshot()).toMatchObject({ text: 'theirs\n', isDirty: false, conflict: null });
  });

  it('does not let a part of a file be saved', async () => {
    const { disk, document } = await opened();
    disk.change('x'.repeat(3_000_000));
    await document.changedOnDisk();
    expect(document.getSnapshot()).toMatchObject({ isPartial: true, size: 3_000_000 });
    document.type('short');
    expect(await document.save()).toBe(false);
    expect(disk.text?.length).toBe(3_000_000);
  });

  it('keeps line ends as they are', async () => {
    const { disk, document } = await opened();
    disk.change('a\r\nb\r\n');
    await document.changedOnDisk();
    expect(document.getSnapshot().lineSeparator).toBe('\r\n');
    disk.change('a\r\nb\n');
    await document.changedOnDisk();
    expect(document.getSnapshot().lineSeparator).toBe('\n');
  });

  it('tells text from what is none', () => {
    expect(decodeText(new Uint8Array([0x61, 0, 0x62]))).toBeNull();
    expect(decodeText(new Uint8Array([0xff, 0xfe]))).toBeNull();
    expect(decodeText(new TextEncoder().encode('äö'))).toBe('äö');
    // A cut within a letter is no damage.
    expect(decodeText(new TextEncoder().encode('aä').subarray(0, 2), true)).toBe('a');
  });
});
