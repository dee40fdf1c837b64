import {
  ArrowLeft,
  ExternalLink,
  Monitor,
  MoveHorizontal,
  RotateCw,
  Smartphone,
} from 'lucide-react';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { ListeningPort } from 'sandbox-agent-client';
import { useClient } from 'sandbox-agent-react';
import { notify } from '../shell/notify.tsx';
import { Banner, Button, EmptyState, IconButton, TextField } from '../ui/index.ts';
import styles from './Preview.module.css';
import { addressOf, frameSize, type Size, type Width, writtenPath } from './preview.ts';
import { usePreviewState } from './state.ts';
import { useUnstolenFocus } from './useUnstolenFocus.ts';

interface PreviewProps {
  port: number;
  ports: readonly ListeningPort[];
  onBack(): void;
}

interface Loaded {
  /** Another each time: a frame that is led elsewhere would be a step of Back. */
  count: number;
  url: string;
}

const WIDTHS: readonly { id: Width; label: string; icon: React.ReactNode }[] = [
  { id: 'fit', label: 'As wide as there is room', icon: <MoveHorizontal /> },
  { id: 'phone', label: 'As wide as a phone', icon: <Smartphone /> },
  { id: 'desktop', label: 'As wide as a desktop', icon: <Monitor /> },
];

/** What a port answers, in a frame that is of another origin than this page, and can do nothing to it. */
export function Preview({ port, ports, onBack }: PreviewProps) {
  const client = useClient();
  const { state, set } = usePreviewState(client.url);
  const [typed, setTyped] = useState(state.path);
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [room, setRoom] = useState<Size>({ width: 0, height: 0 });
  const stage = useRef<HTMLDivElement>(null);
  const frame = useRef<HTMLIFrameElement>(null);
  const isListening = ports.some((one) => one.port === port);
  useUnstolenFocus(frame, () => {
    setLoaded(null);
    setProblem('It took the keyboard, again and again, from a field in which somebody typed.');
  });

  const address = useCallback(
    async (path: string) => {
      const ticket = await client.tickets.create({ for: 'port', port, ttl: 60 });
      const url = addressOf(ticket, path, window.location.origin);
      if (url === null) throw new Error('The server gives this port no address of its own.');
      return url;
    },
    [client, port],
  );
  const latest = useRef(0);
  const load = useCallback(
    async (path: string) => {
      latest.current += 1;
      const count = latest.current;
      try {
        const url = await address(path);
        if (count !== latest.current) return;
        setProblem(null);
        setLoaded({ count, url });
      } catch (error) {
        if (count === latest.current)
          setProblem(error instanceof Error ? error.message : String(error));
      }
    },
    [address],
  );

  // At first, and when a program that had ended is there again.
  const path = useRef(state.path);
  useEffect(() => {
    if (isListening) void load(path.current);
  }, [isListening, load]);

  useEffect(() => {
    const place = stage.current;
    if (!place) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setRoom({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(place);
    return () => observer.disconnect();
  }, []);

  const go = () => {
    const next = writtenPath(typed);
    path.current = next;
    setTyped(next);
    set({ path: next });
    void load(next);
  };

  const openTab = async () => {
    try {
      window.open(await address(path.current), '_blank', 'noopener,noreferrer');
    } catch (error) {
      notify({
        title: `Port ${port} could not be opened`,
        detail: error instanceof Error ? error.message : String(error),
        tone: 'error',
      });
    }
  };

  const size = frameSize(state.width, room);
  return (
    <section className={styles.view} aria-label={`Preview of port ${port}`}>
      <div className={styles.bar}>
        <IconButton label="All ports" size="small" onPress={onBack}>
          <ArrowLeft />
        </IconButton>
        <IconButton label="Load again" size="small" onPress={() => void load(path.current)}>
          <RotateCw />
        </IconButton>
        <form
          className={styles.address}
          onSubmit={(event) => {
            event.preventDefault();
            go();
          }}
        >
          <span className={styles.port} aria-hidden>
            :{port}
          </span>
          <TextField
            label={`Path on port ${port}`}
            hideLabel
            mono
            value={typed}
            onChange={setTyped}
          />
        </form>
        <fieldset className={styles.widths} aria-label="Width">
          {WIDTHS.map(({ id, label, icon }) => (
            <IconButton
              key={id}
              label={label}
              size="small"
              aria-pressed={state.width === id}
              onPress={() => set({ width: id })}
            >
              {icon}
            </IconButton>
          ))}
        </fieldset>
        <IconButton label="Open in a new tab" size="small" onPress={() => void openTab()}>
          <ExternalLink />
        </IconButton>
      </div>
      {!isListening && (
        <Banner>Nothing listens on port {port} now. When something does, it is loaded.</Banner>
      )}
      <div ref={stage} className={styles.stage} data-width={state.width}>
        {problem !== null ? (
          <EmptyState
            title="The page is not shown"
            actions={<Button onPress={() => void load(path.current)}>Load it again</Button>}
          >
            {problem}
          </EmptyState>
        ) : (
          loaded && (
            <iframe
              key={loaded.count}
              ref={frame}
              title={`Port ${port}, a page of the sandbox`}
              src={loaded.url}
              // Its origin is its own, without which no program works that loads modules or keeps a cookie.
              sandbox="allow-scripts allow-same-origin allow-forms allow-popups allow-downloads"
              referrerPolicy="no-referrer"
              className={styles.frame}
              style={{
                width: size.width,
                height: size.height,
                transform: size.scale === 1 ? undefined : `scale(${size.scale})`,
              }}
            />
          )
        )}
      </div>
    </section>
  );
}
