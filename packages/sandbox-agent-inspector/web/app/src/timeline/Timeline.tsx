import {
  type KeyboardEvent,
  lazy,
  Suspense,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import {
  axisOf,
  eventOfSeq,
  filterRows,
  NO_FILTER,
  positionOf,
  type RowOptions,
  rowOfSeq,
  selectionStore,
  tellFrame,
  typeGroups,
  useFixedRows,
  useSelected,
  useSessionSelector,
  useTimelineRows,
  windowAround,
} from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import { linkTo, paths } from '../shell/navigation.ts';
import { AxisHeader } from './AxisHeader.tsx';
import { EventDetail } from './EventDetail.tsx';
import { Gone, Nothing, Problem } from './Notes.tsx';
import { highlightOf, RowList } from './RowList.tsx';
import { middleOf, stepOf, summaryOf } from './stepping.ts';
import styles from './Timeline.module.css';
import { type LogView, Toolbar } from './Toolbar.tsx';
import { useDeepLink } from './useDeepLink.ts';
import { useLogSource } from './useLogSource.ts';
import { useMark } from './useMark.ts';
import { useNow } from './useNow.ts';
import { useRowHeight, useWidth } from './useSizes.ts';
import { useWheelZoom } from './useWheelZoom.ts';

const ExportDialog = lazy(async () => {
  const { ExportDialog: Loaded } = await import('../export/ExportDialog.tsx');
  return { default: Loaded };
});

/** The window of the axis at first: bars of seconds are seen in it, and it moves with the rows. */
const FIRST_WINDOW_MS = 10 * 60_000;
const SMALLEST_WINDOW_MS = 20;

const OPTIONS: Record<'events' | 'deltas' | 'frames', RowOptions> = {
  events: {},
  deltas: { deltas: true },
  frames: { tellSingly: tellFrame },
};

/** Then nothing goes on, whatever the log leaves open. */
const RESTS: ReadonlySet<string> = new Set(['idle', 'dormant', 'ended', 'failed']);

interface TimelineProps {
  sessionId: string;
  /** The event that a link points at. */
  seq?: number | null;
}

/** The events of a session: one line for each thing that happened, on one axis of time. */
export function Timeline({ sessionId, seq = null }: TimelineProps) {
  const isAtRest = useSessionSelector(sessionId, ({ info }) => RESTS.has(info?.status ?? 'idle'));
  const unread = useSessionSelector(sessionId, (snapshot) => snapshot.problem);
  const [view, setView] = useState<LogView>('universal');
  const [deltas, setDeltas] = useState(false);
  const [filter, setFilter] = useState(NO_FILTER);
  const [width, setWidth] = useState(FIRST_WINDOW_MS);
  const [isExporting, setExporting] = useState(false);
  const [selectedKey, setSelectedKey] = useState<string | null>(null);
  const [chosenSeq, setChosenSeq] = useState<number | null>(null);
  const [goal, setGoal] = useState<{ key: string; where: 'nearest' | 'centre' } | null>(null);
  const frame = useRef<HTMLElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const mark = useMark();

  const log = useLogSource(sessionId, view, deltas, seq);
  const options = view === 'frames' ? OPTIONS.frames : deltas ? OPTIONS.deltas : OPTIONS.events;
  const { rows: all, counts, events } = useTimelineRows(log.source, options);
  const rows = useMemo(() => filterRows(all, filter), [all, filter]);
  const indexOfKey = useCallback((key: string) => rows.findIndex((row) => row.key === key), [rows]);
  const rowHeight = useRowHeight();
  const list = useFixedRows({
    count: rows.length,
    rowHeight,
    firstKey: rows[0]?.key ?? null,
    indexOfKey,
    startFollowing: seq === null,
    onNearStart: log.complete ? undefined : log.loadEarlier,
    onNearEnd: log.loadLater,
  });

  const at = selectedKey === null ? -1 : indexOfKey(selectedKey);
  const selectedRow = rows[at];
  const shownSeq = chosenSeq ?? selectedRow?.seqs[0] ?? 0;
  const choose = (index: number) => {
    const row = rows[index];
    if (!row) return;
    setSelectedKey(row.key);
    setChosenSeq(row.seqs[0] ?? null);
    setGoal({ key: row.key, where: 'nearest' });
    if (view === 'universal') selectionStore.set(highlightOf(sessionId, row));
  };
  const close = () => {
    setSelectedKey(null);
    list.element?.focus();
  };
  const reveal = (index: number, wanted: number) => {
    const row = rows[index];
    if (!row) return;
    setSelectedKey(row.key);
    setChosenSeq(row.seqs.includes(wanted) ? wanted : (row.seqs[0] ?? null));
    setGoal({ key: row.key, where: 'centre' });
    mark.show(row.key);
  };
  // Once the detail of the row is there: it takes room from the list.
  const { scrollToRow } = list;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another goal moves the list.
  useLayoutEffect(() => {
    if (goal) scrollToRow(indexOfKey(goal.key), goal.where);
  }, [goal]);
  const follow = () => {
    log.toEnd?.();
    list.follow();
  };
  const gone = useDeepLink({ seq, log, rows, isReady: list.element !== null, reveal });

  const chosen = useSelected();
  const showChosen = useRef(() => {});
  useEffect(() => {
    showChosen.current = () => {
      if (chosen?.origin !== 'chat' || chosen.sessionId !== sessionId) return;
      const index = chosen.key === null ? -1 : indexOfKey(chosen.key);
      reveal(index >= 0 ? index : rowOfSeq(rows, chosen.from), chosen.from);
    };
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another choice moves the list.
  useEffect(() => showChosen.current(), [chosen]);

  const anyOpen = useMemo(() => all.some((row) => row.open), [all]);
  const now = useNow(anyOpen && !isAtRest);
  const axis = useMemo(() => axisOf(all, now), [all, now]);
  const middle = middleOf(rows[list.firstVisible], rows[list.lastVisible], (time) =>
    positionOf(axis, time),
  );
  const shown = windowAround(axis, middle, width);
  const isNarrow = useWidth(frame) < 520;
  const zoom = useCallback(
    (factor: number) =>
      setWidth((old) => Math.max(SMALLEST_WINDOW_MS, Math.min(old, axis.length) * factor)),
    [axis.length],
  );
  useWheelZoom(frame, zoom);

  const onKeyDown = (event: KeyboardEvent) => {
    const step = stepOf(event, at, rows.length, list.lastVisible - list.firstVisible);
    if (step !== null) choose(step);
    else if (event.key === 'Escape' && selectedRow) close();
    else if (event.key === '/') search.current?.focus();
    else if (event.key === 'y' && selectedRow) {
      void copyText(linkTo(paths.event(sessionId, shownSeq)), 'Link');
    } else return;
    if (event.key === 'End') follow();
    event.preventDefault();
    event.stopPropagation();
  };

  const problem = log.problem ?? unread;
  return (
    <section ref={frame} className={styles.timeline} aria-label="Timeline">
      <Toolbar
        filter={filter}
        onFilter={setFilter}
        groups={typeGroups(counts)}
        view={view}
        onView={setView}
        deltas={deltas}
        onDeltas={setDeltas}
        searchRef={search}
        onExport={() => setExporting(true)}
      />
      <AxisHeader
        window={shown}
        isWhole={shown.width >= axis.length}
        isNarrow={isNarrow}
        summary={summaryOf(rows.length, all.length, events, view === 'frames' ? 'frame' : 'event')}
        onZoom={zoom}
        onFit={() => setWidth(Number.MAX_VALUE)}
      />
      {gone !== null && <Gone sessionId={sessionId} seq={gone} rows={all} />}
      {problem && <Problem problem={problem} onRetry={log.retry} />}
      {rows.length > 0 ? (
        <RowList
          sessionId={sessionId}
          rows={rows}
          list={list}
          rowHeight={rowHeight}
          selectedKey={selectedKey}
          markedKey={mark.key}
          axis={axis}
          window={shown}
          now={now}
          onSelect={choose}
          onFollow={follow}
          onKeyDown={onKeyDown}
        />
      ) : (
        <Nothing
          isLoading={!problem && !log.isRead}
          isFiltered={all.length > 0}
          onClear={() => setFilter(NO_FILTER)}
        />
      )}
      {selectedRow && log.source && (
        <EventDetail
          sessionId={sessionId}
          row={selectedRow}
          seq={shownSeq}
          event={eventOfSeq(log.source, shownSeq)}
          view={view}
          onSeq={setChosenSeq}
          onClose={close}
        />
      )}
      {isExporting && (
        <Suspense>
          <ExportDialog sessionId={sessionId} onClose={() => setExporting(false)} />
        </Suspense>
      )}
    </section>
  );
}
