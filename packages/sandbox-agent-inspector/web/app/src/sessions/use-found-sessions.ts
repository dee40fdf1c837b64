/** What a search finds: at once in what the page has, and what the server finds besides. */

import { useEffect, useMemo, useState } from 'react';
import type { SessionInfo } from 'sandbox-agent-client';
import { useClient, useSessions } from 'sandbox-agent-react';
import { isFound, parseQuery, passesFilters } from './search.ts';

const SEARCH_AFTER_MS = 200;
const MOST_FOUND = 100;

interface Answer {
  text: string;
  sessions: readonly SessionInfo[];
}

export interface FoundSessions {
  sessions: readonly SessionInfo[];
  /** The server is still looking. */
  isSearching: boolean;
}

export function useFoundSessions(text: string): FoundSessions {
  const all = useSessions();
  const client = useClient();
  const query = useMemo(() => parseQuery(text), [text]);
  const words = query.words.join(' ');
  const [answer, setAnswer] = useState<Answer>({ text: '', sessions: [] });
  useEffect(() => {
    if (words === '') {
      return;
    }
    const stopped = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const page = await client.sessions.list({
          q: words,
          limit: MOST_FOUND,
          signal: stopped.signal,
        });
        if (!stopped.signal.aborted) {
          setAnswer({ text: words, sessions: page.sessions });
        }
      } catch {
        // What the page has is shown; the bar tells of a lost connection.
        if (!stopped.signal.aborted) {
          setAnswer({ text: words, sessions: [] });
        }
      }
    }, SEARCH_AFTER_MS);
    return () => {
      stopped.abort();
      clearTimeout(timer);
    };
  }, [client, words]);

  const sessions = useMemo(() => {
    if (text.trim() === '') {
      return all;
    }
    const found = new Map(
      all.filter((each) => isFound(each, query)).map((each) => [each.id, each] as const),
    );
    if (words !== '' && answer.text === words) {
      const known = new Map(all.map((each) => [each.id, each] as const));
      for (const each of answer.sessions) {
        const latest = known.get(each.id) ?? each;
        if (passesFilters(latest, query)) {
          found.set(each.id, latest);
        }
      }
    }
    return [...found.values()];
  }, [all, answer, query, text, words]);
  return { sessions, isSearching: words !== '' && answer.text !== words };
}
