/** Makes the files of an export beside the page: a long session is folded and written without a frozen click. */
import { type Event, type FoldedTranscript, fold } from 'sandbox-agent-client';
import {
  contentsOf,
  type ExportFacts,
  eventsInRange,
  eventTexts,
  htmlTranscript,
  markdownTranscript,
} from 'sandbox-agent-react/export';
import type { ExportRequest, FromWorker, MadeExport, ToWorker } from './protocol.ts';

const BEGINNING_CHARS = 4000;
const TYPES = { html: 'text/html', markdown: 'text/markdown', jsonl: 'application/jsonl' };

const events: Event[] = [];
const texts = new Map<Event, string>();

function take(page: string): void {
  for (const text of eventTexts(page)) {
    const event = JSON.parse(text) as Event;
    events.push(event);
    texts.set(event, text);
  }
}

async function make(request: ExportRequest): Promise<MadeExport> {
  const chosen = eventsInRange(events, request.range);
  const lines = chosen.map((event) => `${texts.get(event) ?? ''}\n`).join('');
  const transcript = fold([...chosen]);
  const turns = titlesOf(request.range ? fold(events) : transcript);
  const facts = await factsOf(request, lines, turns.length);
  const text = written(request, transcript, lines, facts);
  // A page of markup says little to who looks what is in it.
  const shown = request.format === 'html' ? markdownTranscript(transcript, facts, request) : text;
  return {
    blob: new Blob([text], { type: `${TYPES[request.format]};charset=utf-8` }),
    beginning: shown.slice(0, BEGINNING_CHARS),
    events: chosen.length,
    contents: contentsOf(transcript),
    turns,
  };
}

function written(
  request: ExportRequest,
  transcript: FoldedTranscript,
  lines: string,
  facts: ExportFacts,
): string {
  switch (request.format) {
    case 'jsonl':
      return lines;
    case 'markdown':
      return markdownTranscript(transcript, facts, request);
    case 'html':
      return htmlTranscript(transcript, facts, request);
  }
}

async function factsOf(
  { version, range }: ExportRequest,
  lines: string,
  turns: number,
): Promise<ExportFacts> {
  return {
    version,
    exportedAt: new Date().toISOString(),
    sha256: await sha256(lines),
    events: lines.split('\n').length - 1,
    part: range && { from: range.from + 1, to: range.to + 1, turns },
  };
}

/** Pages that are not from a secure origin have no such function: then there is no hash. */
async function sha256(text: string): Promise<string | null> {
  const subtle: SubtleCrypto | undefined = crypto.subtle;
  if (!subtle) return null;
  const digest = await subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function titlesOf(transcript: FoldedTranscript): string[] {
  return transcript.turns
    .filter((turn) => turn.startedAt)
    .map((turn) => {
      const [block] = turn.prompt ?? [];
      return block?.type === 'text' ? String(block.text ?? '').slice(0, 80) : (turn.origin ?? '');
    });
}

const answer = (message: FromWorker) => self.postMessage(message);

self.addEventListener('message', async ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === 'page') return take(data.text);
  const { id } = data;
  try {
    answer({ type: 'made', id, made: await make(data.request) });
  } catch (error) {
    answer({ type: 'failed', id, message: error instanceof Error ? error.message : String(error) });
  }
});
