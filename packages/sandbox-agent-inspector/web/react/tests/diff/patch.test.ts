import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileDiffsOf, fileDiffsOfPatch, withoutWhitespaceChanges } from 'sandbox-agent-react';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applied } from './applied.ts';

let folder: string;
let patch: string;
const before: Record<string, string> = {
  'plain.txt': Array.from({ length: 40 }, (_, at) => `line ${at}\n`).join(''),
  'end.txt': 'one\ntwo',
  'moved name.txt': 'x\ny\nz\n',
  'dash.sql': '-- a comment\nselect 1;\n',
  'büro "q".txt': 'a\n',
  'run.sh': '#!/bin/sh\n',
  'gone.txt': 'one\ntwo\n',
  'windows.txt': 'a\nb\n',
};
const after: Record<string, string> = {
  'plain.txt': (before['plain.txt'] ?? '').replace('line 3\n', 'three\n').replace('line 30\n', ''),
  'end.txt': 'one\ntwo\n',
  'dash.sql': '-- another\n++ and this\nselect 1;\n',
  'büro "q".txt': 'b\n',
  'windows.txt': 'a\r\nb\r\n',
  'new.txt': 'hello\n',
  'empty.txt': '',
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'patch-'));
  const git = (...words: string[]) => {
    const settings = ['-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'core.autocrlf=false'];
    return execFileSync('git', [...settings, ...words], { cwd: folder, encoding: 'utf8' });
  };
  git('init', '-q');
  for (const [name, text] of Object.entries(before)) writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, 'data.bin'), Buffer.from([0, 1, 2]));
  git('add', '-A');
  git('commit', '-qm', 'before');
  for (const [name, text] of Object.entries(after)) writeFileSync(join(folder, name), text);
  renameSync(join(folder, 'moved name.txt'), join(folder, 'new place.txt'));
  rmSync(join(folder, 'gone.txt'));
  chmodSync(join(folder, 'run.sh'), 0o755);
  writeFileSync(join(folder, 'data.bin'), Buffer.from([0, 9]));
  git('add', '-A');
  patch = git('diff', '--cached', '-M');
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('a patch of git', () => {
  const byPath = () => new Map(fileDiffsOfPatch(patch).map((file) => [file.path, file]));

  it('has all files, whatever their names', () => {
    const names = [...Object.keys(after), 'new place.txt', 'gone.txt', 'run.sh', 'data.bin'];
    expect([...byPath().keys()].sort()).toEqual(names.sort());
  });

  it('makes the new texts of the old ones', () => {
    for (const [name, text] of Object.entries(after)) {
      const file = byPath().get(name);
      expect(file && applied(file, before[name] ?? '')).toBe(text);
    }
  });

  it('says what became of each', () => {
    const files = byPath();
    expect(files.get('new.txt')?.status).toBe('added');
    expect(files.get('gone.txt')?.status).toBe('deleted');
    const moved = files.get('new place.txt');
    expect([moved?.status, moved?.oldPath, moved?.hunks.length]).toEqual([
      'renamed',
      'moved name.txt',
      0,
    ]);
    expect([files.get('run.sh')?.oldMode, files.get('run.sh')?.mode]).toEqual(['100644', '100755']);
    expect(files.get('data.bin')?.binary).toBe(true);
    expect(files.get('windows.txt')?.lineEndings).toEqual({ from: 'LF', to: 'CRLF' });
    expect(files.get('end.txt')?.hunks[0]?.lines.some(({ noNewline }) => noNewline)).toBe(true);
  });

  it('is read as far as it goes, wherever it is cut', () => {
    for (let end = 0; end < patch.length; end += 7) {
      for (const file of fileDiffsOfPatch(patch.slice(0, end))) {
        expect(file.path).not.toBe('');
      }
    }
    const cut = patch.slice(0, patch.indexOf('-line 30'));
    expect(fileDiffsOfPatch(cut).at(-1)?.truncated).toBe(true);
  });

  it('has by name what is not in it', () => {
    const [file] = fileDiffsOf([{ path: 'far.txt', status: 'modified', additions: 3 }], '', true);
    expect([file?.path, file?.additions, file?.truncated]).toEqual(['far.txt', 3, true]);
  });

  it('loses its changes of white space when nobody wants them', () => {
    const file = byPath().get('windows.txt');
    expect(file && withoutWhitespaceChanges(file).hunks).toEqual([]);
  });
});
