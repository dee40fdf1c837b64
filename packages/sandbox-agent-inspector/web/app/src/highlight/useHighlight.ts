import { useEffect, useRef, useState } from 'react';
import type { CodeLine } from 'sandbox-agent-react/highlight';
import { highlight, highlightedBefore } from './highlighter.ts';

type Lines = readonly CodeLine[] | null;

/**
 * The lines of a code with their words told apart, or null while that is not known: show the plain text then. While
 * `code` grows at its end, the lines that it had keep their colour.
 */
export function useHighlight(code: string, language: string | null): Lines {
  const [answer, setAnswer] = useState<{ code: string; language: string; lines: Lines } | null>(
    null,
  );
  const last = useRef<Lines>(null);
  const known = language === null ? null : highlightedBefore(code, language);
  useEffect(() => {
    if (language === null || highlightedBefore(code, language) !== undefined) return;
    const abort = new AbortController();
    void highlight(code, language, abort.signal).then((lines) => {
      if (!abort.signal.aborted) setAnswer({ code, language, lines });
    });
    return () => abort.abort();
  }, [code, language]);

  if (known !== undefined) last.current = known;
  else if (answer?.language !== language) last.current = null;
  else if (answer.code === code) last.current = answer.lines;
  // Its last line may have been half of one.
  else if (code.startsWith(answer.code)) last.current = answer.lines?.slice(0, -1) ?? null;
  else last.current = null;
  return last.current;
}
