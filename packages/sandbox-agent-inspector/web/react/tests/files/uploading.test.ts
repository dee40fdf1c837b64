import { describe, expect, it } from 'vitest';
import { Uploading, type UploadProgress } from '../../src/files/uploading.ts';

function upload(existing: readonly string[], fails: readonly string[] = []) {
  const written: string[] = [];
  const told: UploadProgress[] = [];
  const files = ['a.txt', 'b.txt', 'c.txt'].map((path) => ({
    path,
    file: new File(['xyz'], path),
  }));
  const uploading = new Uploading(
    {
      async put(path, data, { overwrite, onProgress }) {
        if (fails.includes(path)) throw new Error('disk full');
        if (!overwrite && existing.includes(path)) throw new Error('exists');
        onProgress(data.size);
        written.push(path);
      },
      isExisting: (error) => error instanceof Error && error.message === 'exists',
    },
    '/w',
    files,
    (progress) => told.push(progress),
  );
  const settled = async () => {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    return told.at(-1);
  };
  return { uploading, written, settled };
}

describe('Uploading', () => {
  it('tells how far it is, to its end', async () => {
    const { written, settled } = upload([]);
    expect(await settled()).toMatchObject({ state: 'done', doneFiles: 3, doneBytes: 9 });
    expect(written).toEqual(['/w/a.txt', '/w/b.txt', '/w/c.txt']);
  });

  it('asks once about all that is there, and replaces nothing unasked', async () => {
    const { uploading, written, settled } = upload(['/w/a.txt', '/w/c.txt']);
    expect(await settled()).toMatchObject({ state: 'asking', existing: ['a.txt', 'c.txt'] });
    expect(written).toEqual(['/w/b.txt']);
    uploading.decide(true);
    expect(await settled()).toMatchObject({ state: 'done', doneFiles: 3, skipped: 0 });
    expect(written).toEqual(['/w/b.txt', '/w/a.txt', '/w/c.txt']);
  });

  it('keeps what is there when that is decided', async () => {
    const { uploading, written, settled } = upload(['/w/a.txt']);
    await settled();
    uploading.decide(false);
    expect(await settled()).toMatchObject({ state: 'done', doneFiles: 2, skipped: 1 });
    expect(written).toEqual(['/w/b.txt', '/w/c.txt']);
  });

  it('stops at what goes wrong, and says it', async () => {
    const { written, settled } = upload([], ['/w/b.txt']);
    expect(await settled()).toMatchObject({ state: 'failed', problem: 'disk full', doneFiles: 1 });
    expect(written).toEqual(['/w/a.txt']);
  });
});
