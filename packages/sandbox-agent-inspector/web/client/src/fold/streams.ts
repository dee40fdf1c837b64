/** Messages and reasoning. An item is its completions, then a tail of deltas that the next one repeats. */

import type {
  MessageCompleted,
  MessageDelta,
  ReasoningCompleted,
  ReasoningDelta,
} from '../api/schema.ts';
import { ItemDraft } from './drafts.ts';
import type { ContentBlock, MessageItem, ReasoningItem } from './model.ts';
import type { Segments } from './segments.ts';

type Spoken = MessageItem | ReasoningItem;

interface Stream {
  draft: ItemDraft<Spoken>;
  /** Its completions, joined. */
  text: string;
  hasCompletion: boolean;
  attachments: ContentBlock[];
  tailAttachments: ContentBlock[];
}

export class Streams {
  readonly #segments: Segments;
  readonly #streams = new Map<string, Stream>();

  constructor(segments: Segments) {
    this.#segments = segments;
  }

  delta(event: MessageDelta | ReasoningDelta): void {
    const stream = this.#of(event);
    const item = stream.draft.change();
    // Engines keep a text that grows as a rope, so this does not copy what was there.
    item.text += event.data.text ?? '';
    item.streaming = true;
    const block = event.data.content;
    if (block && block.type !== 'text') {
      stream.tailAttachments.push(block);
      item.attachments = [...stream.attachments, ...stream.tailAttachments];
    }
  }

  completed(event: MessageCompleted | ReasoningCompleted): void {
    const { data } = event;
    const stream = this.#of(event);
    const item = stream.draft.change();
    if (!stream.hasCompletion) {
      if (item.seq !== event.seq) this.#segments.putAgain(stream.draft, event.turnId);
      item.seq = event.seq;
      item.time = event.time;
      item.late = data.late ?? false;
      item.parentToolCallId = data.parentToolCallId ?? undefined;
    }
    stream.hasCompletion = true;
    stream.text += data.text ?? '';
    item.text = stream.text;
    item.streaming = false;
    const blocks = (data.content ?? []).filter((block) => block.type !== 'text');
    if (blocks.length > 0 || stream.tailAttachments.length > 0) {
      stream.attachments = [...stream.attachments, ...blocks];
      stream.tailAttachments = [];
      item.attachments = stream.attachments;
    }
  }

  #of(event: MessageDelta | MessageCompleted | ReasoningDelta | ReasoningCompleted): Stream {
    const key = keyOf(event);
    let stream = this.#streams.get(key);
    if (!stream) {
      const draft = new ItemDraft<Spoken>(newItem(event));
      stream = { draft, text: '', hasCompletion: false, attachments: [], tailAttachments: [] };
      this.#streams.set(key, stream);
      this.#segments.put(draft, event.turnId);
    }
    return stream;
  }
}

type SpokenEvent = MessageDelta | MessageCompleted | ReasoningDelta | ReasoningCompleted;

/** A server that names no message has one of each kind in a turn. */
function keyOf(event: SpokenEvent): string {
  const kind = isMessage(event) ? 'm' : 'r';
  const id = event.data.messageId;
  if (id != null) return `${kind}i${id}`;
  return event.turnId === undefined ? kind : `${kind}t${event.turnId}`;
}

function isMessage(event: SpokenEvent): event is MessageDelta | MessageCompleted {
  return event.type === 'message.delta' || event.type === 'message.completed';
}

function newItem(event: SpokenEvent): Spoken {
  const item = {
    seq: event.seq,
    time: event.time,
    text: '',
    attachments: [],
    streaming: false,
    late: event.data.late ?? false,
    id: event.data.messageId ?? undefined,
    parentToolCallId: event.data.parentToolCallId ?? undefined,
  };
  return isMessage(event)
    ? { ...item, type: 'message', role: event.data.role ?? 'assistant' }
    : { ...item, type: 'reasoning' };
}
