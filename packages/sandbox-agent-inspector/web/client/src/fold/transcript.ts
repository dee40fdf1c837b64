/**
 * The reducer: events in, transcript out. The same as the server's and the Python SDK's, held to it by the same
 * golden files.
 *
 * Folding a log with its deltas and without them gives the same transcript, once everything that was streamed is
 * completed.
 */

import type {
  AgentUpdate,
  ConfigChanged,
  Event,
  MessageDelta,
  PlanUpdated,
  ReasoningDelta,
  SessionUpdated,
  TurnStarted,
  UsageUpdated,
} from '../api/schema.ts';
import { ItemDraft, type TurnDraft } from './drafts.ts';
import {
  type ConfigOption,
  emptyTranscript,
  type NoticeItem,
  type PlanItem,
  type Transcript,
} from './model.ts';
import { noticeOf } from './notices.ts';
import { Requests } from './requests.ts';
import { Segments } from './segments.ts';
import { Streams } from './streams.ts';
import { Tasks } from './tasks.ts';
import { Tools } from './tools.ts';

/** The transcript of a session's events, in order of `seq`. */
export function fold(events: Iterable<Event>): Transcript {
  const folder = new TranscriptFolder();
  for (const event of events) folder.apply(event);
  return folder.transcript();
}

/** A transcript that follows its session. An event that was applied before changes nothing. */
export class TranscriptFolder {
  readonly #view = emptyTranscript();
  #published: Transcript | null = null;
  #seq = 0;
  #givenTitle: string | undefined;
  #agentTitle: string | undefined;
  readonly #segments = new Segments();
  readonly #streams = new Streams(this.#segments);
  readonly #tools = new Tools(this.#segments);
  readonly #tasks = new Tasks();
  readonly #requests = new Requests(this.#segments);

  /** Of the last event that was taken in. */
  get seq(): number {
    return this.#seq;
  }

  /**
   * The transcript up to the last event. What was returned never changes, and turns and items that did not change
   * since are the same objects.
   */
  transcript(): Transcript {
    this.#published ??= {
      ...this.#view,
      seq: this.#seq,
      turns: this.#segments.publish(),
      tasks: this.#tasks.publish(),
      pendingRequests: this.#requests.pending(),
    };
    return this.#published;
  }

  /** Take in the next event. */
  apply(event: Event): void {
    if (event.seq <= this.#seq) return;
    this.#begin(event);
    this.#seq = event.seq;
    this.#reduce(event);
  }

  /**
   * Take in deltas that no completion has repeated, of a log whose other deltas were left out: in order of `seq`,
   * after all other events. The transcript is as if they had come in their places.
   */
  applyOpen(deltas: Iterable<MessageDelta | ReasoningDelta>): void {
    const turns = new Set<TurnDraft | undefined>();
    for (const event of deltas) {
      this.#begin(event);
      this.#seq = Math.max(this.#seq, event.seq);
      this.#streams.delta(event);
      turns.add(this.#segments.find(event.turnId));
    }
    for (const turn of turns) turn?.sort();
  }

  /**
   * Take over the turns and items of an earlier transcript of the same session that are equal, so that whoever shows
   * them sees no change. It is done when the iteration is; others may have the thread, and give it events, between its
   * steps.
   */
  *adopting(earlier: Transcript): Generator<void> {
    yield* this.#segments.adopt(earlier.turns);
    this.#published = null;
  }

  #begin(event: Event): void {
    this.#published = null;
    if (this.#seq === 0) this.#view.sessionId = event.sessionId;
  }

  #reduce(event: Event): void {
    const view = this.#view;
    switch (event.type) {
      case 'session.created': {
        const { data } = event;
        view.agent = data.agent;
        view.cwd = data.cwd ?? undefined;
        view.model = data.model ?? undefined;
        view.mode = data.mode ?? undefined;
        view.metadata = data.metadata ?? undefined;
        this.#givenTitle = data.title ?? undefined;
        view.title = this.#givenTitle;
        break;
      }
      case 'session.updated':
        this.#sessionUpdated(event);
        break;
      case 'session.resumed':
        view.ended = undefined;
        this.#notice(event);
        break;
      case 'session.rewound':
        if (event.data.conversation) {
          for (const id of event.data.turnIds ?? [])
            this.#segments.turn(id).change().rewound = true;
        }
        break;
      case 'session.ended':
        view.ended = {
          reason: event.data.reason,
          detail: event.data.detail ?? undefined,
          time: event.time,
        };
        break;
      case 'turn.queued':
        view.queued = [
          ...view.queued,
          { turnId: event.turnId, prompt: event.data.content ?? [], queuedAt: event.time },
        ];
        break;
      case 'turn.dropped':
        this.#unqueue(event.turnId);
        break;
      case 'turn.started':
        this.#turnStarted(event);
        break;
      case 'turn.steered': {
        const turn = this.#segments.turn(event.turnId).change();
        turn.steered = [...turn.steered, { content: event.data.content ?? [], time: event.time }];
        break;
      }
      case 'turn.ended': {
        const { data } = event;
        const turn = this.#segments.turn(event.turnId).change();
        turn.stopReason = data.stopReason;
        turn.error = data.error ?? undefined;
        turn.limit = data.limit ?? undefined;
        turn.usage = data.usage ?? undefined;
        turn.cost = data.cost ?? undefined;
        turn.modelCalls = data.modelCalls ?? undefined;
        turn.endedAt = event.time;
        break;
      }
      case 'turn.diff': {
        const { path, files, totals, truncated, skipped } = event.data;
        this.#segments.turn(event.turnId).change().changes = {
          path: path ?? '',
          files: files ?? [],
          totals: totals ?? {},
          truncated: truncated ?? false,
          skipped: skipped ?? undefined,
        };
        break;
      }
      case 'message.delta':
      case 'reasoning.delta':
        this.#streams.delta(event);
        break;
      case 'message.completed':
      case 'reasoning.completed':
        this.#streams.completed(event);
        break;
      case 'tool.started':
      case 'tool.updated':
      case 'tool.completed':
        this.#tools.apply(event);
        break;
      case 'task.started':
        this.#tasks.started(event);
        break;
      case 'task.updated':
        this.#tasks.updated(event);
        break;
      case 'task.ended':
        this.#tasks.ended(event);
        break;
      case 'plan.updated':
        this.#planUpdated(event);
        break;
      case 'permission.requested':
        this.#requests.requested(event);
        this.#tools.announce(event);
        break;
      case 'question.requested':
      case 'hook.requested':
      case 'host_tool.called':
        this.#requests.requested(event);
        break;
      case 'permission.resolved':
      case 'question.resolved':
      case 'hook.resolved':
      case 'host_tool.resolved':
        this.#requests.resolved(event);
        break;
      case 'usage.updated':
        this.#usageUpdated(event);
        break;
      case 'mode.changed':
        view.mode = event.data.modeId;
        break;
      case 'permission_mode.changed':
        view.permissionMode = event.data.permissionMode ?? undefined;
        break;
      case 'config.changed':
        this.#configChanged(event);
        break;
      case 'commands.updated':
        view.commands = event.data.commands;
        break;
      case 'agent.update':
        this.#agentUpdate(event);
        break;
      default:
        // A notice, or nothing that is shown; also the types of a newer server.
        this.#notice(event);
    }
  }

  #sessionUpdated({ data }: SessionUpdated): void {
    // Modes have events of their own, which say what became of the requested one.
    const view = this.#view;
    if (data.model != null) view.model = current(view.configOptions, 'model') || data.model;
    if (data.metadata != null) view.metadata = data.metadata;
    if (data.title != null) {
      this.#givenTitle = data.title || undefined;
      view.title = this.#givenTitle ?? this.#agentTitle;
    }
  }

  #turnStarted(event: TurnStarted): void {
    const { data } = event;
    this.#unqueue(event.turnId);
    // A session that was ended may be resumed.
    this.#view.ended = undefined;
    const turn = this.#segments.start(event.turnId).change();
    turn.startedAt = event.time;
    turn.origin = data.origin ?? 'prompt';
    turn.taskId = data.taskId ?? undefined;
    turn.emulated = data.emulated || undefined;
    if (turn.origin !== 'agent') turn.prompt = data.content ?? [];
  }

  #unqueue(turnId: string | undefined): void {
    const view = this.#view;
    if (view.queued.some((one) => one.turnId === turnId)) {
      view.queued = view.queued.filter((one) => one.turnId !== turnId);
    }
  }

  #planUpdated(event: PlanUpdated): void {
    const turn = this.#segments.turn(event.turnId);
    const draft = turn.drafts.find((one) => one.item.type === 'plan');
    if (draft) {
      (draft as ItemDraft<PlanItem>).change().entries = event.data.entries;
      return;
    }
    turn.append(
      new ItemDraft<PlanItem>({
        seq: event.seq,
        time: event.time,
        type: 'plan',
        entries: event.data.entries,
      }),
    );
  }

  #usageUpdated(event: UsageUpdated): void {
    const { turn: use, ...told } = event.data;
    if (use != null) {
      const turn = this.#segments.turn(event.turnId).change();
      turn.usage = use.usage ?? undefined;
      turn.cost = use.cost ?? undefined;
      turn.modelCalls = use.modelCalls ?? 0;
    }
    const usage = { ...this.#view.usage };
    let isTold = false;
    for (const name of ['contextUsed', 'contextSize', 'cost', 'model'] as const) {
      if (!Object.hasOwn(told, name)) continue;
      isTold = true;
      Object.assign(usage, { [name]: told[name] ?? undefined });
    }
    if (isTold) this.#view.usage = usage;
  }

  #configChanged({ data }: ConfigChanged): void {
    const view = this.#view;
    if (data.options != null) {
      view.configOptions = data.options;
    } else if (data.configId != null) {
      view.configOptions = view.configOptions.map((option) =>
        option.id === data.configId ? { ...option, currentValue: data.value ?? null } : option,
      );
    }
    if (data.configId === 'model' && typeof data.value === 'string') view.model = data.value;
    view.model = current(view.configOptions, 'model') || view.model;
    view.mode = current(view.configOptions, 'mode') || view.mode;
  }

  #agentUpdate({ data }: AgentUpdate): void {
    if (data.updateType !== 'session_info_update') return;
    const update = data.update;
    if (typeof update !== 'object' || update === null || Array.isArray(update)) return;
    const title = 'title' in update ? update.title : undefined;
    if (typeof title === 'string') {
      this.#agentTitle = title;
      this.#view.title = this.#givenTitle || title;
    }
  }

  #notice(event: Event): void {
    const notice = noticeOf(event);
    if (!notice) return;
    const item: NoticeItem = {
      seq: event.seq,
      time: event.time,
      type: 'notice',
      ...notice,
      code: notice.code ?? undefined,
      detail: notice.detail ?? undefined,
    };
    this.#segments.put(new ItemDraft(item), event.turnId);
  }
}

function current(options: readonly ConfigOption[], category: string): string | undefined {
  for (const option of options) {
    if (option.category === category && typeof option.currentValue === 'string') {
      return option.currentValue;
    }
  }
  return undefined;
}
