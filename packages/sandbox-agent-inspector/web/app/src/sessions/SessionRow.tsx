/** A session in the list: its state, what it is called, what it does now, and what it asks. */

import { memo, useState } from 'react';
import type { RequestInfo, SessionInfo } from 'sandbox-agent-client';
import { useServerSelector } from 'sandbox-agent-react';
import { navigate, paths, useHref } from '../shell/navigation.ts';
import { Foreign } from '../ui/index.ts';
import { ageOf, STATUS_WORDS, titleOf } from './naming.ts';
import { SessionMenu } from './SessionMenu.tsx';
import styles from './SessionRow.module.css';
import { StatusGlyph } from './StatusGlyph.tsx';
import { WaitingLine } from './WaitingLine.tsx';

interface SessionRowProps {
  session: SessionInfo;
  requests: readonly RequestInfo[];
  isUnread: boolean;
  isOpen: boolean;
  /** The one that Tab goes to. */
  isActive: boolean;
  isCompact: boolean;
  now: number;
  onActive(id: string): void;
}

/** What it does now; else what it is: agent, model, place. */
function restingLine(session: SessionInfo): string {
  const place = session.cwd.split('/').filter(Boolean).at(-1);
  const parts = [session.agent, session.model, place].filter(Boolean);
  if (session.status === 'idle') {
    return parts.join(' · ');
  }
  // A newer server may know another status.
  return [
    (STATUS_WORDS[session.status] ?? session.status).split(':')[0],
    ...parts.slice(0, 1),
  ].join(' · ');
}

export const SessionRow = memo(function SessionRow({
  session,
  requests,
  isUnread,
  isOpen,
  isActive,
  isCompact,
  now,
  onActive,
}: SessionRowProps) {
  const { id } = session;
  const path = paths.session(id);
  const href = useHref(path);
  const [isMenuOpen, setMenuOpen] = useState(false);
  const activity = useServerSelector((server) => server.activity.get(id) ?? null);
  const [first] = requests;
  const title = titleOf(session);
  const showsLine = !first && !isCompact;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the right button opens what the visible button opens
    <div
      className={styles.row}
      data-open={isOpen || undefined}
      data-waiting={first ? true : undefined}
      data-menu={isMenuOpen || undefined}
      data-ended={session.status === 'ended' || undefined}
      onContextMenu={(event) => {
        event.preventDefault();
        setMenuOpen(true);
      }}
    >
      <a
        className={styles.link}
        href={href}
        data-session={id}
        tabIndex={isActive ? 0 : -1}
        aria-current={isOpen ? 'page' : undefined}
        onFocus={() => onActive(id)}
        onClick={(event) => {
          // Ctrl, Shift and the middle button mean what they mean for any link.
          if (event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
            event.preventDefault();
            navigate(path);
          }
        }}
      >
        <StatusGlyph status={session.status} waits={first !== undefined} />
        <span className={styles.words}>
          <span className={styles.title} data-unread={isUnread || undefined}>
            <Foreign text={title} maxChars={120} />
          </span>
          {showsLine ? (
            <span className={styles.line}>
              <Foreign text={activity ?? restingLine(session)} maxChars={120} />
            </span>
          ) : null}
        </span>
        {isUnread ? (
          <span className={styles.unread}>
            <span className="visually-hidden">unread</span>
          </span>
        ) : null}
        <time className={styles.age} dateTime={session.updatedAt}>
          {ageOf(session.updatedAt, now)}
        </time>
      </a>
      {first ? <WaitingLine session={session} request={first} more={requests.length - 1} /> : null}
      <SessionMenu
        session={session}
        isOpen={isMenuOpen}
        onOpenChange={setMenuOpen}
        isReachable={isActive}
      />
    </div>
  );
});
