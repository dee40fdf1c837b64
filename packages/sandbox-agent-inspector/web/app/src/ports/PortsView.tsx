import { AppWindow, Copy, ExternalLink, Plug } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { ListeningPort } from 'sandbox-agent-client';
import { ApiError } from 'sandbox-agent-client';
import { useClient, usePageVisible } from 'sandbox-agent-react';
import { copyText } from '../shell/clipboard.ts';
import { notify } from '../shell/notify.tsx';
import { Badge, Button, EmptyState, Foreign, IconButton, Skeleton } from '../ui/index.ts';
import styles from './PortsView.module.css';
import { Preview } from './Preview.tsx';
import { addressOf, whyNoPreview } from './preview.ts';
import { usePreviewState } from './state.ts';

const AGAIN_MS = 3000;

/** What listens in the sandbox, and a way to look at it. */
export function PortsView() {
  const client = useClient();
  const isVisible = usePageVisible();
  const [ports, setPorts] = useState<readonly ListeningPort[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [opening, setOpening] = useState<number | null>(null);
  const { state, set } = usePreviewState(client.url);
  const noPreview = whyNoPreview(client.url, window.location, navigator.userAgent);

  useEffect(() => {
    if (!isVisible) return;
    const stop = new AbortController();
    const { signal } = stop;
    const follow = async () => {
      while (!signal.aborted) {
        try {
          for await (const list of client.ports.watch({ signal })) {
            setPorts(list.ports);
            setProblem(null);
          }
        } catch (error) {
          if (signal.aborted) return;
          setProblem(error instanceof Error ? error.message : String(error));
          if (error instanceof ApiError && error.status < 500 && error.status !== 429) return;
        }
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    };
    void follow();
    return () => stop.abort();
  }, [client, isVisible]);

  const open = async (port: number) => {
    setOpening(port);
    try {
      // A tab of its own, without a way back to this one: the page is of the agent's making.
      const ticket = await client.tickets.create({ for: 'port', port, ttl: 60 });
      const own = noPreview === null ? addressOf(ticket, '/', window.location.origin) : null;
      window.open(own ?? client.url + ticket.path, '_blank', 'noopener,noreferrer');
    } catch (error) {
      notify({
        title: `Port ${port} could not be opened`,
        detail: error instanceof Error ? error.message : String(error),
        tone: 'error',
      });
    } finally {
      setOpening(null);
    }
  };

  if (ports === null)
    return problem ? (
      <EmptyState icon={<Plug />} title="The ports cannot be told">
        {problem}
      </EmptyState>
    ) : (
      <div className={styles.loading}>
        <Skeleton lines={[40, 55, 35]} />
      </div>
    );

  if (state.port !== null && noPreview === null)
    return (
      <Preview
        key={state.port}
        port={state.port}
        ports={ports}
        onBack={() => set({ port: null, path: '/' })}
      />
    );
  const others = ports.filter((port) => !port.isServer);
  return (
    <section className={styles.view} aria-label="Ports">
      {others.length === 0 ? (
        <EmptyState icon={<Plug />} title="Nothing listens yet">
          <p>
            When an agent or a process starts a server, its port comes up here, and can be opened
            through this one.
          </p>
        </EmptyState>
      ) : (
        <>
          <ul className={styles.list}>
            {others.map((port) => (
              <li key={`${port.port} ${port.address}`} className={styles.row}>
                <span className={styles.number}>{port.port}</span>
                <span className={styles.words}>
                  <span className={styles.program}>
                    {port.program ? (
                      <Foreign text={port.program} maxChars={60} />
                    ) : (
                      <span title="The server may not see whose it is">unknown program</span>
                    )}
                    {isEverywhere(port.address) && <Badge>every address</Badge>}
                  </span>
                  <span className={styles.facts}>
                    <Foreign text={port.address} maxChars={60} />
                    {port.pid != null && ` · PID ${port.pid}`}
                  </span>
                </span>
                <span className={styles.actions}>
                  <IconButton
                    label={`Copy the address of port ${port.port}`}
                    onPress={() => void copyText(client.ports.url(port.port), 'Address')}
                  >
                    <Copy />
                  </IconButton>
                  {noPreview === null && (
                    <Button
                      size="small"
                      icon={<AppWindow aria-hidden />}
                      aria-label={`Preview port ${port.port}`}
                      onPress={() => set({ port: port.port, path: '/' })}
                    >
                      Preview
                    </Button>
                  )}
                  <Button
                    size="small"
                    icon={<ExternalLink aria-hidden />}
                    isDisabled={opening === port.port}
                    aria-label={`Open port ${port.port} in a new tab`}
                    onPress={() => void open(port.port)}
                  >
                    Open
                  </Button>
                </span>
              </li>
            ))}
          </ul>
          <p className={styles.note}>
            {noPreview === null ? 'Both go' : '“Open” goes'} through this server, with a pass for
            that port alone. The page is made by what runs in the sandbox: type no password into it
            that is not meant for it. A program sends its token with the copied address.
          </p>
          {noPreview !== null && <p className={styles.note}>No preview here. {noPreview}</p>}
        </>
      )}
      {problem !== null && <p className={styles.note}>Not live now: {problem}</p>}
    </section>
  );
}

function isEverywhere(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
