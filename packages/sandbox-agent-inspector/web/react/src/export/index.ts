export { type ContentShare, type Contents, contentsOf } from './contents.ts';
export type { ExportFacts, ExportOptions } from './facts.ts';
export { htmlTranscript } from './html.tsx';
export { markdownTranscript } from './markdown.ts';
export { eventsInRange, type TurnRange } from './range.ts';
export { eventTexts } from './raw.ts';
