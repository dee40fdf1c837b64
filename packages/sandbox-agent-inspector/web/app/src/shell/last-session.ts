/** The session that was open last: what the phone's bar returns to, and what stays behind the dialog of a new one. */
import { useEffect, useState } from 'react';
import { appPlace, ROOT } from './base.ts';
import type { Route } from './navigation.ts';

const key = () => `sandbox-agent:last-session:${appPlace(ROOT, window.location.pathname).base}`;

function read(): string | null {
  try {
    return sessionStorage.getItem(key());
  } catch {
    return null;
  }
}

export function useLastSession(route: Route): string | null {
  const [last, setLast] = useState(read);
  const id = route.room === 'session' ? route.id : null;
  if (id !== null && id !== last) {
    setLast(id);
  }
  useEffect(() => {
    if (id !== null) {
      try {
        sessionStorage.setItem(key(), id);
      } catch {
        // Known until the page is closed.
      }
    }
  }, [id]);
  return id ?? last;
}
