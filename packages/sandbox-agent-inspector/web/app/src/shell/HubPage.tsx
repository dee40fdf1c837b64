/** All servers that `sandbox-agent ui` reaches: where one begins there. */
import { Box, ChevronRight } from 'lucide-react';
import { EmptyState, Foreign } from '../ui/index.ts';
import { ROOT } from './base.ts';
import styles from './HubPage.module.css';
import type { HubServer } from './servers.ts';

export function hubHref(name: string): string {
  return `${ROOT}/servers/${encodeURIComponent(name)}/`;
}

function stateWords(state: string | null): string {
  return state === 'paused' ? 'asleep, opening wakes it' : (state ?? '');
}

export function HubPage({ servers }: { servers: readonly HubServer[] }) {
  return (
    <main className={styles.page}>
      <div className={styles.column}>
        <h1 className={styles.title}>Sandboxes</h1>
        {servers.length === 0 ? (
          <EmptyState icon={<Box />} title="No sandboxes yet">
            <p>
              Make one with <code>sandbox-agent run</code>; it appears here.
            </p>
          </EmptyState>
        ) : (
          <ul className={styles.list}>
            {servers.map((server) => (
              <li key={server.name}>
                <a className={styles.server} href={hubHref(server.name)}>
                  <Box size={20} aria-hidden />
                  <span className={styles.name}>
                    <Foreign text={server.name} />
                    <small>{server.provider ?? 'server'}</small>
                  </span>
                  <span className={styles.state}>{stateWords(server.state)}</span>
                  <ChevronRight size={16} aria-hidden />
                </a>
              </li>
            ))}
          </ul>
        )}
      </div>
    </main>
  );
}
