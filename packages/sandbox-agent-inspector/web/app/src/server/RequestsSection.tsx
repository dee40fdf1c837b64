import { Network, SquareTerminal, Trash2, X } from 'lucide-react';
import {
  type KeyboardEvent,
  useCallback,
  useId,
  useMemo,
  useState,
  useSyncExternalStore,
} from 'react';
import type { RequestRecord } from 'sandbox-agent-client';
import { curlCommand, useClient, useFixedRows } from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import { requestLog } from '../shell/request-log.ts';
import { JsonTree } from '../timeline/JsonTree.tsx';
import { stepOf } from '../timeline/stepping.ts';
import { useRowHeight } from '../timeline/useSizes.ts';
import { EmptyState, Foreign, IconButton, SearchField, Switch } from '../ui/index.ts';
import styles from './Requests.module.css';
import { durationText, isFailure, matches, statusText } from './requests.ts';

/** What this page has asked the server, newest last. The token is in none of it. */
export function RequestsSection() {
  const all = useSyncExternalStore(requestLog.subscribe, requestLog.getSnapshot);
  const [text, setText] = useState('');
  const [onlyFailures, setOnlyFailures] = useState(false);
  const [chosen, setChosen] = useState<number | null>(null);
  const records = useMemo(
    () => all.filter((record) => matches(record, text, onlyFailures)),
    [all, text, onlyFailures],
  );
  const selected = records.find((record) => record.id === chosen) ?? null;
  return (
    <div className={styles.section}>
      <div className={styles.tools}>
        <SearchField
          label="Filter requests"
          placeholder="Method, path, status"
          className={styles.search}
          value={text}
          onChange={setText}
        />
        <Switch isSelected={onlyFailures} onChange={setOnlyFailures}>
          Failures only
        </Switch>
        <span className={styles.count}>
          {records.length} of {all.length}
        </span>
        <IconButton label="Clear the log" onPress={() => requestLog.clear()}>
          <Trash2 />
        </IconButton>
      </div>
      {records.length > 0 ? (
        <RequestList records={records} chosen={chosen} onChoose={setChosen} />
      ) : (
        <EmptyState
          icon={<Network />}
          title={all.length > 0 ? 'No request fits the filter' : 'No requests yet'}
        />
      )}
      {selected && <RequestDetail record={selected} onClose={() => setChosen(null)} />}
    </div>
  );
}

interface RequestListProps {
  records: readonly RequestRecord[];
  chosen: number | null;
  onChoose: (id: number) => void;
}

function RequestList({ records, chosen, onChoose }: RequestListProps) {
  const id = useId();
  const rowHeight = useRowHeight();
  const indexOfKey = useCallback(
    (key: string) => records.findIndex((record) => String(record.id) === key),
    [records],
  );
  const list = useFixedRows({
    count: records.length,
    rowHeight,
    firstKey: records[0] ? String(records[0].id) : null,
    indexOfKey,
    startFollowing: true,
  });
  const at = records.findIndex((record) => record.id === chosen);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = stepOf(event, at, records.length, list.lastVisible - list.firstVisible);
    const record = step === null ? undefined : records[step];
    if (step === null || !record) return;
    onChoose(record.id);
    list.scrollToRow(step, 'nearest');
    event.preventDefault();
  };
  return (
    <div
      ref={list.ref}
      role="listbox"
      aria-label="Requests"
      aria-activedescendant={at >= 0 ? `${id}-${at}` : undefined}
      tabIndex={0}
      className={styles.list}
      onKeyDown={onKeyDown}
    >
      <div style={{ height: list.height }} role="presentation" className={styles.space}>
        {records.slice(list.from, list.to).map((record, offset) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys of all its rows.
          <div
            key={record.id}
            id={`${id}-${list.from + offset}`}
            role="option"
            tabIndex={-1}
            aria-selected={record.id === chosen}
            className={styles.row}
            data-failed={isFailure(record) || undefined}
            style={{
              transform: `translateY(${(list.from + offset) * rowHeight}px)`,
              height: rowHeight,
            }}
            onClick={() => onChoose(record.id)}
          >
            <time className={styles.time}>{clock(record.startedAt)}</time>
            <span className={styles.method}>{record.method}</span>
            <Foreign text={record.path} maxChars={300} className={styles.path} />
            <span className={styles.status}>{statusText(record)}</span>
            <span className={styles.took}>{durationText(record)}</span>
          </div>
        ))}
      </div>
    </div>
  );
}

function clock(time: number): string {
  return new Date(time).toLocaleTimeString('en-GB');
}

function RequestDetail({ record, onClose }: { record: RequestRecord; onClose: () => void }) {
  const client = useClient();
  const { method, path, headers, body, error } = record;
  const curl = () => {
    const command = curlCommand({ method, url: client.url + path, headers, body });
    void copyText(command, 'Command');
  };
  return (
    <section className={styles.detail} aria-label={`${method} request`}>
      <header className={styles.detailHeader}>
        <strong>{method}</strong>
        <Foreign text={path} maxChars={120} className={styles.path} />
        <IconButton label="Copy as curl" size="small" onPress={curl}>
          <SquareTerminal />
        </IconButton>
        <IconButton label="Close" size="small" onPress={onClose}>
          <X />
        </IconButton>
      </header>
      {error && (
        <p className={styles.error}>
          <code>{error.code}</code> {error.message}
        </p>
      )}
      <JsonTree
        key={record.id}
        label="Request"
        value={{ ...record, body: body === null ? null : parsed(body) }}
      />
    </section>
  );
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}
