import { linkTarget } from 'sandbox-agent-react';
import { Foreign } from '../../ui/index.ts';
import { SafeLink } from '../links.tsx';
import styles from './attachment.module.css';

/** A link that an agent or a page made: where it leads is printed beside it, and asked about once. */
export function WebLink({ url, text }: { url: string; text: string }) {
  const target = linkTarget(url);
  if (target === null) return <Foreign text={text} />;
  const host = target.kind === 'web' && target.host !== text ? target.host : null;
  return (
    <span className={styles.link}>
      <SafeLink target={target} host={null} title={null}>
        <Foreign text={text} />
      </SafeLink>
      {host !== null && <Foreign text={host} className={styles.detail} />}
    </span>
  );
}
