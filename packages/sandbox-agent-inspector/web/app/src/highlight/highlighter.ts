/** One worker for the page, and a memory of what it has answered. */
import type { CodeLine } from 'sandbox-agent-react/highlight';
import type { HighlightAnswer, HighlightQuestion } from './worker.ts';

type Lines = readonly CodeLine[] | null;

const MAX_KEPT_CHARS = 2_000_000;
const MAX_CHARS = 500_000;

const kept = new Map<string, Lines>();
let keptChars = 0;
const waiting = new Map<number, { key: string; resolve: (lines: Lines) => void }>();
let lastId = 0;
let worker: Worker | null = null;
let isBroken = false;

/** What is known already; undefined while it is not. */
export function highlightedBefore(code: string, language: string): Lines | undefined {
  return kept.get(keyOf(code, language));
}

export function highlight(code: string, language: string, signal: AbortSignal): Promise<Lines> {
  const running = started();
  if (running === null || code.length > MAX_CHARS) return Promise.resolve(null);
  const question: HighlightQuestion = { id: ++lastId, code, language };
  const key = keyOf(code, language);
  return new Promise((resolve) => {
    waiting.set(question.id, { key, resolve });
    signal.addEventListener('abort', () => waiting.delete(question.id), { once: true });
    running.postMessage(question);
  });
}

function started(): Worker | null {
  if (worker !== null || isBroken || typeof Worker === 'undefined') return worker;
  worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data }: MessageEvent<HighlightAnswer>) => {
    const asked = waiting.get(data.id);
    waiting.delete(data.id);
    if (!asked) return;
    keep(asked.key, data.lines);
    asked.resolve(data.lines);
  });
  worker.addEventListener('error', () => {
    // Text without colour is still the text.
    isBroken = true;
    worker = null;
    for (const { resolve } of waiting.values()) resolve(null);
    waiting.clear();
  });
  return worker;
}

function keep(key: string, lines: Lines): void {
  kept.set(key, lines);
  keptChars += key.length;
  for (const oldest of kept.keys()) {
    if (keptChars <= MAX_KEPT_CHARS) break;
    kept.delete(oldest);
    keptChars -= oldest.length;
  }
}

function keyOf(code: string, language: string): string {
  return `${language}\n${code}`;
}
