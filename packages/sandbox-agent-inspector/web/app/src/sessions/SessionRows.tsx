/** The rows of the list that are in view, and moving among them by keys. */

import {
  type KeyboardEvent,
  type Ref,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import type { RequestInfo, SessionInfo } from 'sandbox-agent-client';
import { usePreferences } from '../shell/preferences.ts';
import { type ListRow, listRows, rowHeights, totalHeight, visibleRange } from './rows.ts';
import { SessionRow } from './SessionRow.tsx';
import styles from './SessionRows.module.css';
import type { Placed } from './steady-order.ts';

interface SessionRowsProps {
  ref: Ref<HTMLDivElement>;
  places: readonly Placed[];
  sessions: readonly SessionInfo[];
  waiting: ReadonlyMap<string, readonly RequestInfo[]>;
  unread: ReadonlySet<string>;
  openId: string | null;
  now: number;
  /** Somebody is in the list, by pointer or by focus: its order must not change. */
  onHold(held: boolean): void;
}

const isTouch = () => window.matchMedia('(pointer: coarse)').matches;

function useView(element: HTMLDivElement | null): { top: number; height: number } {
  const [view, setView] = useState({ top: 0, height: 800 });
  useLayoutEffect(() => {
    if (!element) {
      return;
    }
    const read = () => setView({ top: element.scrollTop, height: element.clientHeight });
    read();
    element.addEventListener('scroll', read, { passive: true });
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => {
      element.removeEventListener('scroll', read);
      observer.disconnect();
    };
  }, [element]);
  return view;
}

export function SessionRows({
  ref,
  places,
  sessions,
  waiting,
  unread,
  openId,
  now,
  onHold,
}: SessionRowsProps) {
  const [element, setElement] = useState<HTMLDivElement | null>(null);
  useImperativeHandle(ref, () => element as HTMLDivElement, [element]);
  const isCompact = usePreferences((preferences) => preferences.density === 'compact');
  const rows = useMemo(() => {
    const byId = new Map(sessions.map((each) => [each.id, each] as const));
    return listRows(places, byId, waiting, rowHeights(isCompact, isTouch()));
  }, [places, sessions, waiting, isCompact]);
  const view = useView(element);
  const { from, to } = visibleRange(rows, view.top, view.height);
  const [activeId, setActiveId] = useState<string | null>(null);
  const sessionRows = rows.filter((row) => row.kind === 'session');
  const isThere = (id: string | null) => sessionRows.some((row) => row.key === id);
  const active = isThere(activeId) ? activeId : isThere(openId) ? openId : sessionRows[0]?.key;
  useHold(element, onHold);

  const shown: ListRow[] = rows.slice(from, to);
  // What has the focus stays mounted when it scrolls away.
  const kept = rows.find((row) => row.key === active);
  if (kept && !shown.includes(kept)) {
    shown.push(kept);
  }

  const focusOn = useRef<string | null>(null);
  useLayoutEffect(() => {
    if (focusOn.current !== null && element) {
      const row = element.querySelector<HTMLElement>(
        `[data-session="${CSS.escape(focusOn.current)}"]`,
      );
      focusOn.current = null;
      row?.focus({ preventScroll: true });
    }
  });

  const moveTo = (index: number) => {
    const row = sessionRows[Math.min(sessionRows.length - 1, Math.max(0, index))];
    if (!row || !element) {
      return;
    }
    if (row.top < element.scrollTop + 32) {
      element.scrollTop = row.top - 32;
    } else if (row.top + row.height > element.scrollTop + element.clientHeight) {
      element.scrollTop = row.top + row.height - element.clientHeight + 8;
    }
    focusOn.current = row.key;
    setActiveId(row.key);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const onRow = event.target instanceof Element && event.target.matches('[data-session]');
    if (!onRow || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const index = sessionRows.findIndex((row) => row.key === active);
    const letters = usePreferences.getState().singleKeys;
    const page = Math.max(1, Math.floor(view.height / 60));
    const targets: Record<string, number> = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      Home: 0,
      End: sessionRows.length - 1,
      PageDown: index + page,
      PageUp: index - page,
      ...(letters ? { j: index + 1, k: index - 1 } : {}),
    };
    const target = targets[event.key];
    if (target !== undefined) {
      event.preventDefault();
      moveTo(target);
    }
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys that come up from its rows
    <div ref={setElement} className={styles.scroller} onKeyDown={onKeyDown}>
      <ul
        className={styles.rows}
        style={{ height: totalHeight(rows) }}
        aria-label={`Sessions, ${sessionRows.length}`}
      >
        {shown.map((row) => (
          <li
            key={row.key}
            className={styles.row}
            style={{ height: row.height, transform: `translateY(${row.top}px)` }}
            {...(row.kind === 'session'
              ? { 'aria-setsize': sessionRows.length, 'aria-posinset': row.position }
              : {})}
          >
            {row.kind === 'heading' ? (
              <h2 className={styles.heading} data-group={row.group}>
                {row.label} <span>· {row.count}</span>
              </h2>
            ) : (
              <SessionRow
                session={row.session}
                requests={row.requests}
                isUnread={unread.has(row.key)}
                isOpen={row.key === openId}
                isActive={row.key === active}
                isCompact={isCompact}
                now={now}
                onActive={setActiveId}
              />
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** While the pointer or the focus is in it. A touch leaves no pointer behind. */
function useHold(element: HTMLElement | null, onHold: (held: boolean) => void): void {
  const tell = useRef(onHold);
  useEffect(() => {
    tell.current = onHold;
  });
  useEffect(() => {
    if (!element) {
      return;
    }
    let isOver = false;
    let hasFocus = element.contains(document.activeElement);
    const update = () => tell.current(isOver || hasFocus);
    const onEnter = (event: PointerEvent) => {
      isOver = event.pointerType === 'mouse';
      update();
    };
    const onLeave = () => {
      isOver = false;
      update();
    };
    const onFocusIn = () => {
      hasFocus = true;
      update();
    };
    const onFocusOut = (event: FocusEvent) => {
      hasFocus = event.relatedTarget instanceof Node && element.contains(event.relatedTarget);
      update();
    };
    element.addEventListener('pointerenter', onEnter);
    element.addEventListener('pointerleave', onLeave);
    element.addEventListener('focusin', onFocusIn);
    element.addEventListener('focusout', onFocusOut);
    return () => {
      element.removeEventListener('pointerenter', onEnter);
      element.removeEventListener('pointerleave', onLeave);
      element.removeEventListener('focusin', onFocusIn);
      element.removeEventListener('focusout', onFocusOut);
      tell.current(false);
    };
  }, [element]);
}
