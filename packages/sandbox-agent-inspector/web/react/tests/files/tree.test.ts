import { describe, expect, it, vi } from 'vitest';
import { FileTree, type TreeEntry } from '../../src/files/tree.ts';
import { actionOfKey, rowByTyping } from '../../src/files/treeKeys.ts';

function entry(path: string, entryType: 'file' | 'directory' = 'file'): TreeEntry {
  return { path, name: path.slice(path.lastIndexOf('/') + 1), entryType, size: 1 };
}

const LISTED: Record<string, TreeEntry[]> = {
  '/w': [
    entry('/w/file10.txt'),
    entry('/w/file2.txt'),
    entry('/w/src', 'directory'),
    entry('/w/.env'),
    entry('/w/debug.log'),
  ],
  '/w/src': [entry('/w/src/a.py'), entry('/w/src/deep', 'directory')],
  '/w/src/deep': [entry('/w/src/deep/b.py')],
};

function tree(): FileTree {
  return new FileTree({ list: async (path) => LISTED[path] ?? [] }, '/w');
}

const names = (one: FileTree) => one.getSnapshot().rows.map((row) => row.name);

describe('FileTree', () => {
  it('shows directories first, and counts as people do', async () => {
    const one = tree();
    await one.start();
    expect(names(one)).toEqual(['src', '.env', 'debug.log', 'file2.txt', 'file10.txt']);
  });

  it('reads a directory when it is opened, and not again', async () => {
    const list = vi.fn(async (path: string) => LISTED[path] ?? []);
    const one = new FileTree({ list }, '/w');
    await one.start();
    await one.toggle('/w/src');
    await one.toggle('/w/src');
    await one.toggle('/w/src');
    expect(list.mock.calls.map(([path]) => path)).toEqual(['/w', '/w/src']);
    expect(names(one).slice(0, 3)).toEqual(['src', 'deep', 'a.py']);
    expect(one.getSnapshot().rows[1]).toMatchObject({ level: 2, position: 1, setSize: 2 });
  });

  it('opens what is above a path that is revealed', async () => {
    const one = tree();
    await one.start();
    await one.reveal('/w/src/deep/b.py');
    expect(names(one)).toContain('b.py');
    expect(one.expanded).toEqual(['/w/src', '/w/src/deep']);
  });

  it('leaves out hidden and ignored files when it is told to, and says how many', async () => {
    const one = tree();
    await one.start();
    one.setKnown(new Set(['/w/file2.txt', '/w/file10.txt', '/w/src', '/w/.env']));
    expect(one.getSnapshot().rows.find((row) => row.name === 'debug.log')?.isIgnored).toBe(true);
    one.setFilters({ hidden: false, ignored: false });
    expect(names(one)).toEqual(['src', 'file2.txt', 'file10.txt']);
    expect(one.getSnapshot().hidden).toBe(2);
  });

  it('marks directories above what git says has changed', async () => {
    const one = tree();
    await one.start();
    one.setMarks(new Map([['/w/src/deep/b.py', 'modified']]));
    expect(one.getSnapshot().rows[0]?.mark).toBe('contains');
  });

  it('believes no listing that leads elsewhere', async () => {
    const bad = { path: '/etc/passwd', name: '../../etc', entryType: 'file' as const, size: 1 };
    const moved = { path: '/etc/passwd', name: 'passwd', entryType: 'file' as const, size: 1 };
    const one = new FileTree({ list: async () => [bad, moved] }, '/w');
    await one.start();
    expect(one.getSnapshot().rows.map((row) => row.path)).toEqual(['/w/passwd']);
  });

  it('tells why a directory cannot be read, and reads it when that is over', async () => {
    let isBroken = true;
    const list = async (path: string) => {
      if (isBroken) throw new Error('no permission');
      return LISTED[path] ?? [];
    };
    const one = new FileTree({ list }, '/w');
    await one.start();
    expect(one.getSnapshot()).toMatchObject({ state: 'failed', problem: 'no permission' });
    isBroken = false;
    await one.refresh('/w');
    expect(one.getSnapshot().state).toBe('ready');
  });

  it('takes names that objects have for names', async () => {
    const odd = [entry('/w/__proto__'), entry('/w/constructor')];
    const one = new FileTree({ list: async () => odd }, '/w');
    await one.start();
    expect(names(one)).toEqual(['__proto__', 'constructor']);
  });
});

describe('keys of a tree', () => {
  it('go in, out, up and down', async () => {
    const one = tree();
    await one.start();
    const rows = () => one.getSnapshot().rows;
    expect(actionOfKey(rows(), '/w/src', 'ArrowRight', 10)).toEqual({
      do: 'expand',
      path: '/w/src',
    });
    await one.expand('/w/src');
    expect(actionOfKey(rows(), '/w/src', 'ArrowRight', 10)).toEqual({
      do: 'move',
      path: '/w/src/deep',
    });
    expect(actionOfKey(rows(), '/w/src/a.py', 'ArrowLeft', 10)).toEqual({
      do: 'move',
      path: '/w/src',
    });
    expect(actionOfKey(rows(), '/w/src', 'End', 10)).toEqual({ do: 'move', path: '/w/file10.txt' });
    expect(actionOfKey(rows(), '/w/src', 'ArrowUp', 10)).toEqual({ do: 'move', path: '/w/src' });
    expect(actionOfKey(rows(), '/w/src', 'x', 10)).toBeNull();
  });

  it('find a name by its beginning, and the next one by the same letter', async () => {
    const one = tree();
    await one.start();
    const { rows } = one.getSnapshot();
    expect(rowByTyping(rows, '/w/src', 'f')).toBe('/w/file2.txt');
    expect(rowByTyping(rows, '/w/file2.txt', 'f')).toBe('/w/file10.txt');
    expect(rowByTyping(rows, '/w/file2.txt', 'file1')).toBe('/w/file10.txt');
    expect(rowByTyping(rows, '/w/src', 'zz')).toBeNull();
  });
});
