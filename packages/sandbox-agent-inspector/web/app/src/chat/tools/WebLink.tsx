import { linkTarget } from 'sandbox-agent-react';
import { Foreign } from '../../ui/index.ts';
import styles from './attachment.module.css';

/** A link that an agent or a page made: where it leads is printed beside it. */
export function WebLink({ url, text }: { url: string; text: string }) {
  const target = linkTarget(url);
  if (target?.kind !== 'web') return <Foreign text={text} />;
  return (
    <span className={styles.link}>
      <a href={target.href} target="_blank" rel="noopener noreferrer" title={target.href}>
        <Foreign text={text} />
      </a>
      {target.host !== text && <Foreign text={target.host} className={styles.detail} />}
    </span>
  );
}
