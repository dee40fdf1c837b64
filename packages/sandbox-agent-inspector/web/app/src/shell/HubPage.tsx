/** All servers that `sandbox-agent ui` reaches: where one begins there. */
import { Box, ChevronRight } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { foreign, usePageVisible } from 'sandbox-agent-react';
import { Banner, EmptyState, Foreign } from '../ui/index.ts';
import { ROOT } from './base.ts';
import styles from './HubPage.module.css';
import type { HubList } from './servers.ts';

const REFRESH_MS = 10_000;

export function hubHref(name: string): string {
  return `${ROOT}/servers/${encodeURIComponent(name)}/`;
}

function stateWords(state: string | null): string {
  return state === 'paused' ? 'asleep, opening wakes it' : (state ?? '');
}

interface HubPageProps {
  list: HubList;
  /** Ask for it again. */
  refresh(): void;
}

export function HubPage({ list, refresh }: HubPageProps) {
  const { servers, problems } = list;
  const isVisible = usePageVisible();
  const latest = useRef(refresh);
  useEffect(() => {
    latest.current = refresh;
  });
  useEffect(() => {
    if (!isVisible) {
      return;
    }
    const timer = setInterval(() => latest.current(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [isVisible]);
  return (
    <main className={styles.page}>
      <div className={styles.column}>
        <h1 className={styles.title}>Sandboxes</h1>
        {problems.map(({ provider, detail }) => (
          <Banner key={provider} title={`Sandboxes of ${foreign(provider)} are missing`}>
            <p>
              <Foreign text={detail} maxChars={500} />
            </p>
          </Banner>
        ))}
        {servers.length === 0 && problems.length === 0 ? (
          <EmptyState icon={<Box />} title="No sandboxes yet">
            <p>
              Make one with <code>sandbox-agent run</code>; it appears here.
            </p>
          </EmptyState>
        ) : null}
        {servers.length > 0 ? (
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
        ) : null}
      </div>
    </main>
  );
}
