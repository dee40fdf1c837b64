/** Highlighting, where it holds nothing up. */
import { type CodeLine, highlightLines } from 'sandbox-agent-react/highlight';

export interface HighlightQuestion {
  readonly id: number;
  readonly code: string;
  readonly language: string;
}

export interface HighlightAnswer {
  readonly id: number;
  readonly lines: readonly CodeLine[] | null;
}

self.addEventListener('message', ({ data }: MessageEvent<HighlightQuestion>) => {
  const answer: HighlightAnswer = { id: data.id, lines: highlighted(data) };
  self.postMessage(answer);
});

function highlighted({ code, language }: HighlightQuestion): readonly CodeLine[] | null {
  try {
    return highlightLines(code, language);
  } catch {
    return null; // a grammar that gives up leaves plain text
  }
}
