/** Links of messages. One to another host is asked about once; files of the workspace open here. */

import type { MouseEvent } from 'react';
import type { LinkProps, LinkTarget } from 'sandbox-agent-react';
import { create } from 'zustand';
import { paths, useHref, useNavigate } from '../shell/navigation.ts';
import { ConfirmDialog } from '../ui/index.ts';
import { absolutePath, useChat } from './context.ts';
import styles from './Prose.module.css';

const KEY = 'sandbox-agent:trusted-hosts';
const MOST_HOSTS = 200;

type ForeignTarget = Exclude<LinkTarget, { kind: 'path' }>;

const useGate = create<{ asked: ForeignTarget | null }>(() => ({ asked: null }));

function trustedHosts(): string[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? '[]');
    return Array.isArray(stored) ? stored.filter((host) => typeof host === 'string') : [];
  } catch {
    return [];
  }
}

function trust(host: string): void {
  try {
    const hosts = [...new Set([...trustedHosts(), host])].slice(-MOST_HOSTS);
    sessionStorage.setItem(KEY, JSON.stringify(hosts));
  } catch {
    // Without a storage the next click asks again.
  }
}

function open(target: ForeignTarget): void {
  window.open(target.href, '_blank', 'noopener,noreferrer');
}

/** Opens a link, or asks first. */
export function followLink(target: ForeignTarget): void {
  if (target.host === window.location.host || trustedHosts().includes(target.host)) open(target);
  else useGate.setState({ asked: target });
}

export function SafeLink({ target, host, title, children }: LinkProps) {
  if (target.kind === 'path') return <PathLink target={target}>{children}</PathLink>;
  const onClick = (event: MouseEvent) => {
    event.preventDefault();
    followLink(target);
  };
  return (
    <>
      <a
        href={target.href}
        target="_blank"
        rel="noopener noreferrer"
        title={title ? `${title}\n${target.href}` : target.href}
        onClick={onClick}
        onAuxClick={(event) => {
          // The right button opens the browser's own menu.
          if (event.button === 1) onClick(event);
        }}
      >
        <bdi>{children}</bdi>
      </a>
      {host !== null && <span className={styles.host}>{host}</span>}
    </>
  );
}

function PathLink({
  target,
  children,
}: {
  target: Extract<LinkTarget, { kind: 'path' }>;
  children: LinkProps['children'];
}) {
  const { sessionId, cwd } = useChat();
  const navigate = useNavigate();
  const lines = target.line === null ? null : `L${target.line}`;
  const path = paths.sessionFiles(sessionId, absolutePath(target.path, cwd), lines);
  const href = useHref(path);
  return (
    <a
      href={href}
      data-path=""
      title={target.path}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        navigate(path);
      }}
    >
      <bdi>{children}</bdi>
    </a>
  );
}

/** Asks before a page of another host is opened. Rendered once. */
export function LinkGate() {
  const asked = useGate((state) => state.asked);
  const close = () => useGate.setState({ asked: null });
  return (
    <ConfirmDialog
      title={asked?.kind === 'mail' ? 'Write a mail?' : 'Open another site?'}
      action={asked?.kind === 'mail' ? 'Open mail program' : 'Open in a new tab'}
      isOpen={asked !== null}
      onOpenChange={(isOpen) => {
        if (!isOpen) close();
      }}
      onConfirm={() => {
        if (asked === null) return;
        trust(asked.host);
        open(asked);
      }}
    >
      <p>The agent wrote this link. It leads to</p>
      <p className={styles.gateHost}>{asked?.host}</p>
      <p className={styles.gateUrl}>{asked?.href.slice(0, 500)}</p>
    </ConfirmDialog>
  );
}
