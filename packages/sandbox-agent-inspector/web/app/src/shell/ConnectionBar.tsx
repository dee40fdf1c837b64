/** The one place that tells of a lost connection. A blink of the network is nobody's business. */
import { Check, CloudOff } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import type { Connection } from 'sandbox-agent-client';
import { useConnection, useServerStore } from 'sandbox-agent-react';
import { Button } from '../ui/index.ts';
import { announce } from './announce.tsx';
import styles from './ConnectionBar.module.css';
import { connectionNews } from './connection-state.ts';

function events(count: number): string {
  return count === 1 ? '1 event' : `${count.toLocaleString('en-US')} events`;
}

const WORDS: Partial<Record<Connection['state'], string>> = {
  connecting: 'The server does not answer. Trying again…',
  reconnecting: 'Reconnecting…',
  offline: 'Offline',
};

export function ConnectionBar() {
  const connection = useConnection();
  const store = useServerStore();
  const wasTold = useRef(false);
  const [now, setNow] = useState(Date.now);
  const news = connectionNews(connection, Math.max(now, connection.since), wasTold.current);
  const { kind } = news;
  const isFirst = connection.state === 'connecting';
  useEffect(() => {
    if (connection.state === 'live' && kind === 'nothing') {
      return;
    }
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [connection.state, kind]);
  useEffect(() => {
    if (kind === 'reconnecting') {
      wasTold.current = true;
      announce(isFirst ? 'The server does not answer' : 'Connection lost, reconnecting');
    } else if (kind === 'caught-up') {
      announce('Connected again');
    }
  }, [kind, isFirst]);
  useEffect(() => {
    setNow(Date.now());
    if (connection.state !== 'live') {
      return;
    }
    const timer = setTimeout(() => {
      wasTold.current = false;
      setNow(Date.now());
    }, 2100);
    return () => clearTimeout(timer);
  }, [connection.state]);

  if (news.kind === 'nothing') {
    return null;
  }
  if (news.kind === 'caught-up') {
    return (
      <div className={styles.bar} data-state="live">
        <Check size={16} aria-hidden />
        Up to date{news.events > 0 ? `, ${events(news.events)} caught up` : ''}
      </div>
    );
  }
  return (
    <div className={styles.bar} data-state="reconnecting">
      <CloudOff size={16} aria-hidden />
      <span>
        {WORDS[connection.state]} <span className={styles.time}>({news.seconds} s)</span>
        {news.reason ? <span className={styles.reason}> {news.reason}</span> : null}
      </span>
      {news.offersRetry ? (
        <Button size="small" onPress={() => store.retry()}>
          Try now
        </Button>
      ) : null}
    </div>
  );
}
