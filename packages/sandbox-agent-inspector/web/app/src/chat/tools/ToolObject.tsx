import { foreign, type ToolSummary } from 'sandbox-agent-react';
import styles from './tool.module.css';

const MAX_CHARS = 300;

/** What the call is about, on one line; the end of a path is what says most. */
export function ToolObject({ summary }: { summary: ToolSummary }) {
  const { object, objectKind } = summary;
  const first = object.trimStart().split('\n')[0] ?? '';
  if (first === '') return <span className={styles.object} />;
  const rest = object.trim().includes('\n') ? ' …' : '';
  const shown = foreign(first.slice(0, MAX_CHARS)) + rest;
  if (objectKind === 'path') {
    const slash = shown.lastIndexOf('/');
    return (
      <bdi className={styles.object} data-kind="path" title={foreign(object.slice(0, 4096))}>
        {slash > 0 && <span className={styles.folder}>{shown.slice(0, slash + 1)}</span>}
        <span className={styles.file}>{shown.slice(slash + 1)}</span>
      </bdi>
    );
  }
  const title = shown.length > 60 ? foreign(object.slice(0, 4096)) : undefined;
  return (
    <bdi className={styles.object} data-kind={objectKind} title={title}>
      {objectKind === 'query' ? `“${shown}”` : shown}
    </bdi>
  );
}
