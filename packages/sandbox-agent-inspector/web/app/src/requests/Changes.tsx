import { type FileDiff, foreign } from 'sandbox-agent-react';
import { Foreign } from '../ui/index.ts';
import styles from './Card.module.css';

const SIGNS = { context: ' ', add: '+', del: '−' };

/** What a tool would change in a file. */
export function Changes({ files }: { files: readonly FileDiff[] }) {
  return files.map((file) => (
    <figure key={file.path} className={styles.change}>
      <figcaption className={styles.changeTitle}>
        <Foreign text={file.path} maxChars={100} className={styles.path} />
        <span className={styles.faint}>
          +{file.additions} −{file.deletions}
        </span>
      </figcaption>
      <pre className={styles.code}>
        {file.hunks.flatMap((hunk, part) =>
          hunk.lines.map((line, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line has nothing but its place
            <span key={`${part}:${index}`} className={styles.changeLine} data-kind={line.kind}>
              {SIGNS[line.kind]} {foreign(line.text)}
              {'\n'}
            </span>
          )),
        )}
      </pre>
    </figure>
  ));
}
