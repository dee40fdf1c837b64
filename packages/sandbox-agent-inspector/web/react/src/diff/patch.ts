/** Unified patches, as `git diff` writes them, into `FileDiff`s. Lenient: what ends too early is kept as far as it goes. */
import type { ChangedFile } from 'sandbox-agent-client';
import { countChanges, type DiffHunk, type FileDiff, type FileStatus } from './model.ts';
import { readHunk } from './texts.ts';

interface Reading {
  oldPath: string | null;
  path: string | null;
  status: FileStatus;
  binary: boolean;
  oldMode: string | null;
  mode: string | null;
  hunks: DiffHunk[];
  truncated: boolean;
}

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/;
const HEADER =
  /^(old mode|new mode|new file mode|deleted file mode|rename from|rename to|copy from|copy to) (.*)$/;

export function fileDiffsOfPatch(patch: string): FileDiff[] {
  const lines = patch.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const files: FileDiff[] = [];
  let file: Reading | null = null;
  const close = () => {
    if (file && (file.path || file.oldPath)) files.push(finished(file));
    file = null;
  };
  for (let at = 0; at < lines.length; at += 1) {
    const text = lines[at] ?? '';
    if (text.startsWith('diff --git ')) {
      close();
      file = begun(text);
      continue;
    }
    const follows = lines[at + 1] ?? '';
    if (text.startsWith('--- ') && follows.startsWith('+++ ')) {
      if (file === null || file.hunks.length > 0) {
        close();
        file = begun('');
      }
      named(file, pathOf(text.slice(4)), pathOf(follows.slice(4)));
      at += 1;
      continue;
    }
    if (file === null) continue;
    const found = HUNK.exec(text);
    if (found) {
      at = readLines(lines, at, found, file);
    } else {
      readHeader(text, file);
    }
  }
  close();
  return files;
}

/** The files of a diff of the server: those that its patch has no room for, or that are binary, are in it by name. */
export function fileDiffsOf(
  files: readonly ChangedFile[],
  patch: string,
  truncated = false,
): FileDiff[] {
  const parsed = new Map(fileDiffsOfPatch(patch).map((file) => [file.path, file]));
  const named = files.map((told): FileDiff => {
    const known = parsed.get(told.path);
    parsed.delete(told.path);
    const hunks = known?.hunks ?? [];
    return {
      path: told.path,
      oldPath: told.oldPath ?? known?.oldPath ?? null,
      status: told.status,
      binary: told.binary ?? known?.binary ?? false,
      oldMode: told.oldMode ?? known?.oldMode ?? null,
      mode: told.mode ?? known?.mode ?? null,
      additions: told.additions ?? known?.additions ?? 0,
      deletions: told.deletions ?? known?.deletions ?? 0,
      hunks,
      whole: null,
      replaced: false,
      lineEndings: known?.lineEndings ?? null,
      truncated:
        known?.truncated ?? (truncated && (told.additions ?? 0) + (told.deletions ?? 0) > 0),
    };
  });
  return [...named, ...parsed.values()];
}

function begun(header: string): Reading {
  const [oldPath, path] = gitPaths(header.slice('diff --git '.length));
  return {
    oldPath: oldPath || null,
    path: path || null,
    status: 'modified',
    binary: false,
    oldMode: null,
    mode: null,
    hunks: [],
    truncated: false,
  };
}

function named(file: Reading, oldPath: string | null, path: string | null): void {
  if (oldPath === null) file.status = 'added';
  if (path === null) file.status = 'deleted';
  file.oldPath = oldPath ?? file.oldPath;
  file.path = path ?? oldPath;
}

function readHeader(text: string, file: Reading): void {
  if (text.startsWith('Binary files ') || text === 'GIT binary patch') {
    file.binary = true;
    return;
  }
  const found = HEADER.exec(text);
  const rest = found?.[2] ?? '';
  switch (found?.[1]) {
    case 'old mode':
      file.oldMode = rest;
      break;
    case 'new mode':
      file.mode = rest;
      break;
    case 'new file mode':
      file.status = 'added';
      break;
    case 'deleted file mode':
      file.status = 'deleted';
      break;
    case 'rename from':
    case 'copy from':
      file.status = text.startsWith('copy') ? 'copied' : 'renamed';
      file.oldPath = unquoted(rest);
      break;
    case 'rename to':
    case 'copy to':
      file.path = unquoted(rest);
      break;
  }
}

/** The lines of a hunk, by the counts in its head: a removed `-- x` looks like the head of a file. */
function readLines(
  lines: readonly string[],
  head: number,
  found: RegExpExecArray,
  file: Reading,
): number {
  let old = Number(found[2] ?? 1);
  let now = Number(found[4] ?? 1);
  const signed: string[] = [];
  let at = head + 1;
  for (; at < lines.length && (old > 0 || now > 0); at += 1) {
    const text = lines[at] ?? '';
    const sign = text[0] ?? ' ';
    if (sign === '\\') {
      signed.push(text);
      continue;
    }
    if (sign !== ' ' && sign !== '+' && sign !== '-') break;
    signed.push(text === '' ? ' ' : text);
    if (sign !== '+') old -= 1;
    if (sign !== '-') now -= 1;
  }
  while (lines[at]?.startsWith('\\')) {
    signed.push(lines[at] ?? '');
    at += 1;
  }
  file.truncated ||= old > 0 || now > 0;
  file.hunks.push(readHunk(signed, Number(found[1]), Number(found[3]), found[5] ?? ''));
  return at - 1;
}

function finished(file: Reading): FileDiff {
  return {
    path: file.path ?? file.oldPath ?? '',
    oldPath: file.oldPath !== file.path && file.status !== 'added' ? file.oldPath : null,
    status: file.status,
    binary: file.binary,
    oldMode: file.oldMode,
    mode: file.mode,
    ...countChanges(file.hunks),
    hunks: file.hunks,
    whole: null,
    replaced: false,
    lineEndings: onlyEndings(file.hunks),
    truncated: file.truncated,
  };
}

function onlyEndings(hunks: readonly DiffHunk[]): FileDiff['lineEndings'] {
  const removed: string[] = [];
  const added: string[] = [];
  for (const { kind, text } of hunks.flatMap((hunk) => hunk.lines)) {
    if (kind === 'del') removed.push(text);
    else if (kind === 'add') added.push(text);
  }
  if (removed.length === 0 || removed.length !== added.length) return null;
  const bare = (text: string) => (text.endsWith('\r') ? text.slice(0, -1) : text);
  if (!removed.every((text, index) => bare(text) === bare(added[index] ?? ''))) return null;
  const kindOf = (texts: string[]) => {
    const windows = texts.filter((text) => text.endsWith('\r')).length;
    return windows === 0 ? 'LF' : windows === texts.length ? 'CRLF' : 'mixed';
  };
  const change = { from: kindOf(removed), to: kindOf(added) } as const;
  return change.from === change.to ? null : change;
}

/** `a/old b/new`, either of them in quotes when it has odd characters. */
function gitPaths(text: string): [string | null, string | null] {
  if (text.startsWith('"')) {
    const end = closingQuote(text);
    return [stripped(unquoted(text.slice(0, end + 1))), stripped(unquoted(text.slice(end + 2)))];
  }
  const quoted = text.indexOf(' "');
  if (quoted !== -1) {
    return [stripped(text.slice(0, quoted)), stripped(unquoted(text.slice(quoted + 1)))];
  }
  // Not renamed, so both halves are the same name, which may have spaces.
  const half = (text.length - 1) / 2;
  if (text[half] === ' ' && text.slice(2, half) === text.slice(half + 3)) {
    return [text.slice(2, half), text.slice(half + 3)];
  }
  const between = text.indexOf(' b/');
  if (between === -1) return [null, null];
  return [stripped(text.slice(0, between)), stripped(text.slice(between + 1))];
}

function pathOf(text: string): string | null {
  const name = unquoted(text.split('\t')[0] ?? text);
  return name === '/dev/null' ? null : stripped(name);
}

function stripped(name: string): string {
  return /^[abciow]\//.test(name) ? name.slice(2) : name;
}

function closingQuote(text: string): number {
  let at = 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

const ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
};

/** Git writes odd names in quotes, with their bytes in octal. */
function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  const inner = text.slice(1, closingQuote(text));
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (let at = 0; at < inner.length; ) {
    const char = inner[at] ?? '';
    if (char !== '\\') {
      const point = String.fromCodePoint(inner.codePointAt(at) ?? 0);
      bytes.push(...encoder.encode(point));
      at += point.length;
      continue;
    }
    const octal = /^[0-7]{1,3}/.exec(inner.slice(at + 1));
    const next = inner[at + 1] ?? '';
    bytes.push(octal ? Number.parseInt(octal[0], 8) & 255 : (ESCAPES[next] ?? next.charCodeAt(0)));
    at += 1 + (octal ? octal[0].length : 1);
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}
