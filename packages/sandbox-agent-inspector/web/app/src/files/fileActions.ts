import type { GitMark, TreeRow } from 'sandbox-agent-react';
import type { MenuGroup } from '../ui/index.ts';

export type FileAction =
  | 'open'
  | 'newFile'
  | 'newFolder'
  | 'upload'
  | 'uploadFolder'
  | 'download'
  | 'copyPath'
  | 'copyRelativePath'
  | 'copyLink'
  | 'rename'
  | 'remove';

/** What can be done with a row of the tree. */
export function entriesOf(row: TreeRow): MenuGroup[] {
  const groups: MenuGroup[] = [];
  if (row.isDirectory)
    groups.push({
      id: 'into',
      entries: [
        { id: 'newFile', label: 'New file…' },
        { id: 'newFolder', label: 'New folder…' },
        { id: 'upload', label: 'Upload files…' },
        { id: 'uploadFolder', label: 'Upload a folder…' },
      ],
    });
  groups.push({
    id: 'copy',
    entries: [
      ...(row.isDirectory ? [] : [{ id: 'open', label: 'Open' }]),
      { id: 'download', label: row.isDirectory ? 'Download as tar' : 'Download' },
      { id: 'copyPath', label: 'Copy path' },
      { id: 'copyRelativePath', label: 'Copy relative path' },
      ...(row.isDirectory ? [] : [{ id: 'copyLink', label: 'Copy link' }]),
    ],
  });
  groups.push({
    id: 'change',
    entries: [
      { id: 'rename', label: 'Rename or move…', shortcut: 'F2' },
      { id: 'remove', label: 'Delete…', shortcut: 'Delete', danger: true },
    ],
  });
  return groups;
}

/** What git says of a file, as a letter and in words. */
export const MARKS: Readonly<Record<GitMark, { letter: string; words: string }>> = {
  added: { letter: 'A', words: 'added' },
  modified: { letter: 'M', words: 'modified' },
  deleted: { letter: 'D', words: 'deleted' },
  renamed: { letter: 'R', words: 'renamed' },
  copied: { letter: 'C', words: 'copied' },
  type_changed: { letter: 'T', words: 'changed its type' },
  contains: { letter: '•', words: 'has changes' },
};
