export { CopyButton } from './CopyButton.tsx';
export { Diff, type DiffProps, FileFacts, FileName, LineCounts } from './Diff.tsx';
export { DiffList } from './DiffList.tsx';
