/**
 * Folds what comes on stdin: one JSON object a line, `{events, isWhole}`; `isWhole` says that every delta is repeated by
 * a completion or still open. Writes one line for each, `{transcript, problems}`.
 *
 * The transcript has to be the same however it was come by, and one that was looked at may never change.
 */

import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { loadSources } from './sources.mjs';

const [{ TranscriptFolder, fold, EventLog }, close] = await loadSources('index.ts');

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim()) process.stdout.write(`${JSON.stringify(folded(JSON.parse(line)))}\n`);
}
await close();

function folded({ events, isWhole }) {
  const transcript = plain(fold(events));
  const problems = [];
  const check = (how, other) => {
    if (!isDeepStrictEqual(plain(other), transcript)) problems.push({ how, other: plain(other) });
  };
  check('looked at on the way', lookedAt(structuredClone(events)));
  check('applied twice', fold([...events, ...events]));
  if (isWhole) check('without repeated deltas', withoutDeltas(events));
  check('folded again, taking over what is equal', foldedAgain(events, problems));
  return { transcript, problems };
}

function lookedAt(events) {
  const folder = new TranscriptFolder();
  for (const event of events) {
    folder.apply(freeze(event));
    freeze(folder.transcript());
  }
  return folder.transcript();
}

function withoutDeltas(events) {
  const log = new EventLog();
  for (const event of events) log.append(event);
  const folder = new TranscriptFolder();
  for (const event of log.slice(0)) folder.apply(event);
  folder.applyOpen(log.openDeltas());
  return folder.transcript();
}

function foldedAgain(events, problems) {
  const [first, second] = [new TranscriptFolder(), new TranscriptFolder()];
  for (const event of events) first.apply(event);
  for (const event of events) second.apply(event);
  for (const _step of second.adopting(first.transcript()));
  const [one, other] = [first.transcript(), second.transcript()];
  // One without an id is known by its first item.
  const isKnown = (turn) => turn.id !== undefined || turn.items.length > 0;
  if (one.turns.some((turn, index) => isKnown(turn) && turn !== other.turns[index])) {
    problems.push({ how: 'what is equal is not the same object' });
  }
  return other;
}

function freeze(value) {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}

function plain(value) {
  return JSON.parse(JSON.stringify(value));
}
