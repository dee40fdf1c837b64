import { Braces, Link2, SquareTerminal, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { curlCommand, type EventLike, type TimelineRow, useClient } from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import { linkTo, paths } from '../shell/navigation.ts';
import { Foreign, IconButton } from '../ui/index.ts';
import styles from './EventDetail.module.css';
import { JsonTree } from './JsonTree.tsx';
import type { LogView } from './Toolbar.tsx';

interface EventDetailProps {
  sessionId: string;
  row: TimelineRow;
  seq: number;
  event: EventLike | null;
  view: LogView;
  onSeq: (seq: number) => void;
  onClose: () => void;
}

/** So many events of a row are offered at once: the first and the last say most. */
const OFFERED = 40;

/** One event, with the frame that it was made of. */
export function EventDetail(props: EventDetailProps) {
  const { sessionId, row, seq, view } = props;
  const frame = useFrame(sessionId, seq);
  const event = view === 'frames' ? null : props.event;
  const copied = event ?? frame;
  return (
    <section className={styles.detail} aria-label={`Event ${seq}`}>
      <header className={styles.header}>
        <span className={styles.seq}>{seq}</span>
        <Foreign text={props.event?.type ?? row.family} className={styles.type} />
        <time className={styles.time} dateTime={props.event?.time}>
          {timeOf(props.event?.time)}
        </time>
        <span className={styles.actions}>
          <IconButton
            label="Copy JSON"
            size="small"
            onPress={() => void copyText(JSON.stringify(copied, null, 2), 'JSON')}
          >
            <Braces />
          </IconButton>
          <IconButton
            label="Copy link"
            shortcut="y"
            size="small"
            onPress={() => void copyText(linkTo(paths.event(sessionId, seq)), 'Link')}
          >
            <Link2 />
          </IconButton>
          <CurlButton sessionId={sessionId} seq={seq} view={view} />
          <IconButton label="Close" shortcut="Esc" size="small" onPress={props.onClose}>
            <X />
          </IconButton>
        </span>
      </header>
      {row.seqs.length > 1 && <Siblings {...props} />}
      <div className={styles.panes}>
        {event && (
          <div className={styles.pane}>
            <h3 className={styles.title}>Event</h3>
            <JsonTree key={`e${seq}`} value={event} label={`Event ${seq}`} />
          </div>
        )}
        {frame !== null && (
          <div className={styles.pane}>
            <h3 className={styles.title}>Raw frame</h3>
            <JsonTree key={`f${seq}`} value={frame} label={`Frame ${seq}`} />
          </div>
        )}
      </div>
    </section>
  );
}

function Siblings({ row, seq, onSeq }: EventDetailProps) {
  const { seqs } = row;
  const isCut = seqs.length > OFFERED;
  const offered = isCut ? [...seqs.slice(0, OFFERED / 2), ...seqs.slice(-OFFERED / 2)] : seqs;
  return (
    <nav className={styles.siblings} aria-label="Events of this row">
      {offered.map((one, index) => (
        <span key={one}>
          {isCut && index === OFFERED / 2 && <span aria-hidden>… </span>}
          <button
            type="button"
            className={styles.sibling}
            aria-current={one === seq || undefined}
            onClick={() => onSeq(one)}
          >
            {one}
          </button>
        </span>
      ))}
      <span className={styles.count}>{seqs.length.toLocaleString('en')} events</span>
    </nav>
  );
}

function CurlButton({ sessionId, seq, view }: { sessionId: string; seq: number; view: LogView }) {
  const client = useClient();
  const query = `after=${seq - 1}&limit=1${view === 'frames' ? '&view=frames' : ''}`;
  const url = `${client.url}/v1/sessions/${encodeURIComponent(sessionId)}/events?${query}`;
  return (
    <IconButton
      label="Copy as curl"
      size="small"
      onPress={() => void copyText(curlCommand({ url }), 'Command')}
    >
      <SquareTerminal />
    </IconButton>
  );
}

const CLOCK: Intl.DateTimeFormatOptions = {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
};

function timeOf(time: string | undefined): string {
  const date = new Date(time ?? '');
  if (Number.isNaN(date.getTime())) return '';
  return date.toLocaleTimeString('en-GB', CLOCK);
}

/** The frame of the log that has this `seq`; asked for a moment after, because one runs through the rows with a key. */
function useFrame(sessionId: string, seq: number): unknown {
  const client = useClient();
  const [frame, setFrame] = useState<unknown>(null);
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const { signal } = abort;
        const query = { view: 'frames', after: seq - 1, limit: 1, signal } as const;
        const page = await client.sessions.events(sessionId, query);
        setFrame(page.events[0] ?? null);
      } catch {
        // The event is there: the frame is an addition to it.
        if (!abort.signal.aborted) setFrame(null);
      }
    }, 120);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [client, sessionId, seq]);
  return frame;
}
