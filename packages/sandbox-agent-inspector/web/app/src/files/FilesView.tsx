/** A directory: tree, editor, changes. */
export function FilesView(_props: { directory: string; sessionId?: string }) {
  return null;
}
