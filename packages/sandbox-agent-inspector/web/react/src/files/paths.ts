/** Paths of the sandbox: absolute, with `/`. Names may hold anything but `/` and NUL. */

export function joinPath(directory: string, name: string): string {
  return directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`;
}

export function baseName(path: string): string {
  const bare = withoutEnd(path);
  return bare.slice(bare.lastIndexOf('/') + 1) || '/';
}

export function parentPath(path: string): string {
  const bare = withoutEnd(path);
  const at = bare.lastIndexOf('/');
  return at <= 0 ? '/' : bare.slice(0, at);
}

export function isWithin(path: string, directory: string): boolean {
  const top = withoutEnd(directory);
  return path === top || top === '/' || path.startsWith(`${top}/`);
}

/** As it is written below `directory`; a path that is not there stays as it is. */
export function pathBelow(path: string, directory: string): string {
  const top = withoutEnd(directory);
  if (path === top) return '.';
  if (top === '/') return path.slice(1);
  return path.startsWith(`${top}/`) ? path.slice(top.length + 1) : path;
}

/** A relative path as an absolute one; an absolute path stays. */
export function resolvePath(path: string, directory: string): string {
  if (path.startsWith('/')) return path;
  const parts: string[] = [];
  for (const part of joinPath(directory, path).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** In small letters, without the dot; nothing for `.gitignore` and `Makefile`. */
export function extensionOf(path: string): string {
  const name = baseName(path);
  const at = name.lastIndexOf('.');
  return at > 0 ? name.slice(at + 1).toLowerCase() : '';
}

/** The directories between `directory` and `path`, outermost first, neither of both included. */
export function directoriesBetween(directory: string, path: string): string[] {
  const found: string[] = [];
  let one = parentPath(path);
  while (one !== withoutEnd(directory) && isWithin(one, directory) && one !== '/') {
    found.unshift(one);
    one = parentPath(one);
  }
  return found;
}

/** Why a name cannot be one of a new file; nothing if it can. */
export function problemOfName(name: string): string | null {
  if (name.trim() === '') return 'Type a name.';
  if (name.includes('\0')) return 'A name has no NUL in it.';
  const parts = name.split('/');
  if (parts.includes('..') || parts.includes('.')) return 'A name has no “.” or “..” as a part.';
  if (name.startsWith('/')) return 'Type a name, not a path that begins with “/”.';
  if (parts.some((part) => new TextEncoder().encode(part).length > 255))
    return 'A name has at most 255 bytes.';
  return null;
}

function withoutEnd(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
