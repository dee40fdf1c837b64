/** Tool calls: every event of a call is a patch of one item, whatever order the events come in. */

import type {
  PermissionRequested,
  ToolCallFields,
  ToolCompleted,
  ToolStarted,
  ToolUpdated,
} from '../api/schema.ts';
import { ItemDraft } from './drafts.ts';
import type { ToolItem } from './model.ts';
import type { Segments } from './segments.ts';

type ToolEvent = ToolStarted | ToolUpdated | ToolCompleted;

const PATCHED = [
  'title',
  'kind',
  'name',
  'input',
  'output',
  'content',
  'diffs',
  'locations',
  'exitCode',
  'parentToolCallId',
] as const satisfies readonly (keyof ToolCallFields)[];
const PROGRESS = { pending: 0, in_progress: 1, completed: 2, failed: 2 };

interface Call {
  draft: ItemDraft<ToolItem>;
  turnId: string | undefined;
}

export class Tools {
  readonly #segments: Segments;
  readonly #calls = new Map<string, Call>();
  readonly #announced = new Map<string, ToolCallFields>();

  constructor(segments: Segments) {
    this.#segments = segments;
  }

  apply(event: ToolEvent): void {
    const item = this.#of(event).draft.change();
    const { data } = event;
    patch(item, data);
    item.late = item.late || (data.late ?? false);
    const status = data.status ?? (event.type === 'tool.started' ? 'pending' : null);
    // The first end of a call is its end, and no duplicate takes it back to an earlier state.
    if (status != null && PROGRESS[status] > PROGRESS[item.status]) {
      item.status = status;
      if (event.type === 'tool.completed') {
        item.endedAt = event.time;
        item.reason = event.data.reason ?? undefined;
      }
    }
    if (data.terminalOutput)
      item.terminalOutput = (item.terminalOutput ?? '') + data.terminalOutput;
  }

  /** Keep the fields in a permission request: some agents (qwen, Gemini) describe the call nowhere else. */
  announce(event: PermissionRequested): void {
    const fields = event.data.toolCall;
    if (fields && !this.#calls.has(fields.toolCallId)) {
      this.#announced.set(fields.toolCallId, fields);
    }
  }

  #of(event: ToolEvent): Call {
    const id = event.data.toolCallId;
    const known = this.#calls.get(id);
    if (known && !isAnother(known, event)) return known;
    const draft = new ItemDraft<ToolItem>({
      seq: event.seq,
      time: event.time,
      type: 'tool',
      toolCallId: id,
      title: '',
      kind: 'other',
      content: [],
      diffs: [],
      locations: [],
      status: 'pending',
      late: false,
    });
    const announced = this.#announced.get(id);
    if (announced) {
      this.#announced.delete(id);
      patch(draft.item, announced);
    }
    const call = { draft, turnId: event.turnId };
    this.#calls.set(id, call);
    this.#segments.put(draft, event.turnId);
    return call;
  }
}

/** Agents that count their calls anew in every turn use an id twice. */
function isAnother(call: Call, event: ToolEvent): boolean {
  return (
    event.type !== 'tool.updated' &&
    !event.data.late &&
    PROGRESS[call.draft.item.status] === PROGRESS.completed &&
    event.turnId !== call.turnId
  );
}

function patch(item: ToolItem, fields: ToolCallFields): void {
  const target: Record<string, unknown> = item;
  for (const name of PATCHED) {
    if (Object.hasOwn(fields, name)) target[name] = fields[name] ?? undefined;
  }
}
