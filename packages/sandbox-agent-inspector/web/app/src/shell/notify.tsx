/** Short news that goes away by itself: what was done, and what went wrong outside of a form. */
import { X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { createPortal } from 'react-dom';
import { create } from 'zustand';
import styles from './Notices.module.css';

export interface NoticeContent {
  title: string;
  detail?: string;
  tone?: 'info' | 'ok' | 'error';
  action?: { label: string; run(): void };
  /** Errors, and what offers something to do, stay longer. */
  seconds?: number;
  /** A later notice with the same key takes the place of the earlier. */
  key?: string;
}

interface Notice extends NoticeContent {
  id: number;
}

const MOST_SHOWN = 4;
let lastId = 0;

const useNotices = create<{ notices: readonly Notice[] }>(() => ({ notices: [] }));

export function dismissNotice(id: number): void {
  useNotices.setState(({ notices }) => ({ notices: notices.filter((each) => each.id !== id) }));
}

/** Show news in the corner. What a person must read belongs where it happened, not here. */
export function notify(content: NoticeContent): number {
  lastId += 1;
  const notice = { ...content, id: lastId };
  useNotices.setState(({ notices }) => {
    const kept = notices.filter((each) => content.key === undefined || each.key !== content.key);
    return { notices: [...kept, notice].slice(-MOST_SHOWN) };
  });
  return notice.id;
}

function secondsOf(notice: NoticeContent): number {
  return notice.seconds ?? (notice.tone === 'error' || notice.action ? 12 : 5);
}

function NoticeCard({ notice }: { notice: Notice }) {
  const [held, setHeld] = useState(false);
  const seconds = secondsOf(notice);
  useEffect(() => {
    if (held) {
      return;
    }
    const timer = setTimeout(() => dismissNotice(notice.id), seconds * 1000);
    return () => clearTimeout(timer);
  }, [held, notice.id, seconds]);
  return (
    <li
      className={styles.notice}
      data-tone={notice.tone ?? 'info'}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <div className={styles.text}>
        <strong>
          <bdi>{notice.title}</bdi>
        </strong>
        {notice.detail ? (
          <p>
            <bdi>{notice.detail}</bdi>
          </p>
        ) : null}
      </div>
      {notice.action ? (
        <button
          type="button"
          className={styles.action}
          onClick={() => {
            dismissNotice(notice.id);
            notice.action?.run();
          }}
        >
          {notice.action.label}
        </button>
      ) : null}
      <button
        type="button"
        className={styles.close}
        aria-label="Dismiss"
        onClick={() => dismissNotice(notice.id)}
      >
        <X size={16} aria-hidden />
      </button>
    </li>
  );
}

/** A region of the page that dialogs do not hide. */
export function Notices() {
  const notices = useNotices((state) => state.notices);
  return createPortal(
    <section className={styles.region} aria-label="Notifications" data-react-aria-top-layer="true">
      <ol aria-live="polite" aria-relevant="additions">
        {notices.map((notice) => (
          <NoticeCard key={notice.id} notice={notice} />
        ))}
      </ol>
    </section>,
    document.body,
  );
}
