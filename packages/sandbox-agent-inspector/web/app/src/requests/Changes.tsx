import type { FileDiff } from 'sandbox-agent-react';
import { Diff } from '../diff/index.ts';

/** What a tool would change in files. */
export function Changes({ files }: { files: readonly FileDiff[] }) {
  return files.map((file) => <Diff key={file.path} file={file} wrap />);
}
