import { type EventLike, firstLine, member, textMember } from './event.ts';
import type { Telling } from './telling.ts';

/** An entry of the frame view as a row of the timeline has it: its type is the method, with a mark if it is the answer. */
export function frameEvent(frame: unknown): EventLike {
  const payload = member(frame, 'payload');
  const isAnswer = member(payload, 'method') === undefined;
  const method = textMember(frame, 'method') || textMember(payload, 'method') || 'frame';
  return { ...(frame as EventLike), type: isAnswer ? `${method} (answer)` : method };
}

const ARROWS: Readonly<Record<string, string>> = { client: '→ agent', agent: '← agent' };

export function tellFrame(event: EventLike): Telling {
  const payload = member(event, 'payload');
  const detail = ARROWS[event.sender] ?? event.sender;
  const error = member(payload, 'error');
  if (error !== undefined) return { title: firstLine(textMember(error, 'message')), detail };
  const update = member(member(payload, 'params'), 'update');
  if (update !== undefined) {
    const words = [
      textMember(update, 'sessionUpdate'),
      textMember(update, 'title') || textMember(member(update, 'content'), 'text'),
    ];
    return { title: firstLine(words.filter(Boolean).join(' · ')), detail };
  }
  const carried = member(payload, 'params') ?? member(payload, 'result');
  const names = typeof carried === 'object' && carried !== null ? Object.keys(carried) : [];
  return { title: firstLine(names.slice(0, 12).join(', ')), detail };
}
