import type {
  Diff,
  Question,
  RequestInfo,
  RequestItem,
  Resolution,
  ToolCallFields,
  ToolItem,
} from 'sandbox-agent-client';

export type RequestKind = RequestInfo['kind'];
export type OptionKind = 'allow_once' | 'allow_always' | 'reject_once' | 'reject_always';

export interface RequestOption {
  optionId: string;
  /** In the agent's words; its id where it has none. */
  name: string;
  /** null: nobody knows what it does. */
  kind: OptionKind | null;
}

/** The tool call that a request is about, whoever told of it. */
export interface RequestTool {
  id: string;
  name: string | null;
  kind: NonNullable<ToolCallFields['kind']>;
  title: string;
  input: Readonly<Record<string, unknown>> | null;
  diffs: readonly Diff[];
  /** What the agent says that it is for: its words, not ours. */
  says: string | null;
}

/** How a request was resolved; both what the log tells and what an answer is answered with. */
export type RequestOutcome = Partial<
  Pick<
    Resolution,
    | 'optionId'
    | 'optionKind'
    | 'answers'
    | 'scope'
    | 'message'
    | 'updatedInput'
    | 'onReject'
    | 'decision'
    | 'context'
    | 'rule'
    | 'actor'
    | 'resolvedAt'
  >
> & {
  outcome: Resolution['outcome'];
  decidedBy: Resolution['decidedBy'] | null;
  optionName?: string | null;
  reply?: string | null;
};

/** A request as a card shows it, whether it came with the conversation or with the inbox. */
export interface RequestModel {
  id: string;
  sessionId: string;
  kind: RequestKind;
  /** A hook is asked, also where the agent asks it through a permission. */
  hook: 'before_tool' | 'after_tool' | null;
  turnId: string | null;
  tool: RequestTool | null;
  command: string | null;
  /** Where a command runs, if the agent says. */
  cwd: string | null;
  paths: readonly string[];
  options: readonly RequestOption[];
  questions: readonly Question[];
  message: string | null;
  url: string | null;
  /** What came of the tool, for a hook after it. */
  output: unknown;
  /** Of a call of a client's function. */
  call: { tool: string; client: string | null; input: Readonly<Record<string, unknown>> } | null;
  askedAt: string;
  expiresAt: string | null;
  byDefault: string | null;
  outcome: RequestOutcome | null;
}

const OPTION_KINDS: readonly string[] = [
  'allow_once',
  'allow_always',
  'reject_once',
  'reject_always',
];
const TOOL_KINDS: readonly string[] = [
  'read',
  'edit',
  'delete',
  'move',
  'search',
  'execute',
  'think',
  'fetch',
  'switch_mode',
  'other',
];
const CWD_NAMES = ['cwd', 'workdir', 'working_directory', 'directory', 'dir_path'];

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The request of an item of the conversation; `tool` is what the conversation knows of its call. */
export function fromItem(sessionId: string, item: RequestItem, tool?: ToolItem): RequestModel {
  const model = blank(sessionId, item.requestId, item.type, item.time);
  model.expiresAt = item.expiresAt ?? null;
  model.byDefault = item.default ?? null;
  if (item.outcome) model.outcome = { ...outcomeOf(item), outcome: item.outcome };
  if (item.type === 'question') {
    model.message = item.message || null;
    model.questions = item.questions ?? [];
    model.url = item.url ?? null;
    return model;
  }
  if (item.type === 'host_tool') {
    model.call = { tool: item.tool ?? '', client: item.client ?? null, input: item.input ?? {} };
    return model;
  }
  if (item.type === 'hook') {
    model.hook = item.hook === 'after_tool' ? 'after_tool' : 'before_tool';
    model.output = item.output;
  } else {
    model.options = (item.options ?? []).map(optionOf);
  }
  about(model, toolOfFields(item.toolCall ?? null), tool, item.command, item.paths);
  return model;
}

/** The request of an inbox, or of `GET …/requests`. */
export function fromInfo(sessionId: string, info: RequestInfo, tool?: ToolItem): RequestModel {
  const model = blank(sessionId, info.id, info.kind, info.askedAt);
  model.turnId = info.turnId ?? null;
  model.hook = info.hook ?? null;
  model.options = (info.options ?? []).filter(isRecord).map((option) =>
    optionOf({
      optionId: String(option.optionId ?? ''),
      name: typeof option.name === 'string' ? option.name : '',
      kind: typeof option.kind === 'string' ? option.kind : null,
    }),
  );
  model.questions = (info.questions ?? []).filter(isQuestion);
  model.message = info.message || null;
  const { url } = info;
  model.url = typeof url === 'string' ? url : null;
  model.output = info.output;
  if (info.tool) {
    model.call = { tool: info.tool, client: info.client ?? null, input: info.input ?? {} };
  }
  model.expiresAt = info.expiresAt;
  model.byDefault = info.default;
  model.outcome = info.resolution ? fromResolution(info.resolution) : null;
  about(model, toolOfAcp(info.toolCall ?? null), tool, info.command, info.paths);
  return model;
}

export function fromResolution(resolution: Resolution): RequestOutcome {
  return { ...outcomeOf(resolution), outcome: resolution.outcome };
}

function blank(sessionId: string, id: string, kind: RequestKind, askedAt: string): RequestModel {
  return {
    id,
    sessionId,
    kind,
    hook: null,
    turnId: null,
    tool: null,
    command: null,
    cwd: null,
    paths: [],
    options: [],
    questions: [],
    message: null,
    url: null,
    output: undefined,
    call: null,
    askedAt,
    expiresAt: null,
    byDefault: null,
    outcome: null,
  };
}

function about(
  model: RequestModel,
  asked: RequestTool | null,
  told: ToolItem | undefined,
  command: string | null | undefined,
  paths: readonly string[] | undefined,
): void {
  const known = told ? toolOfFields({ ...told, toolCallId: asked?.id ?? '' }) : null;
  model.tool = asked ? withEarlier(asked, known) : null;
  model.command = command ?? null;
  model.paths = distinct(paths ?? []);
  model.cwd = textAt(model.tool?.input ?? null, CWD_NAMES);
}

/** Agents tell a file twice, as they call it and where it is: the whole path says more. */
function distinct(paths: readonly string[]): string[] {
  return [...new Set(paths)].filter(
    (path) => path.startsWith('/') || !paths.some((other) => other.endsWith(`/${path}`)),
  );
}

/** What the request leaves out is as the call was told before. */
function withEarlier(asked: RequestTool, known: RequestTool | null): RequestTool {
  if (!known) return asked;
  return {
    id: asked.id,
    name: asked.name ?? known.name,
    kind: asked.kind === 'other' ? known.kind : asked.kind,
    title: asked.title || known.title,
    input: asked.input ?? known.input,
    diffs: asked.diffs.length > 0 ? asked.diffs : known.diffs,
    // What it shows by now may be what came of it.
    says: asked.says ?? textAt(known.input, ['description']),
  };
}

function toolOfFields(fields: ToolCallFields | null): RequestTool | null {
  if (!fields) return null;
  const input = isRecord(fields.input) ? fields.input : null;
  return {
    id: fields.toolCallId,
    name: fields.name ?? null,
    kind: fields.kind ?? 'other',
    title: fields.title ?? '',
    input,
    diffs: fields.diffs ?? [],
    says: textAt(input, ['description']) ?? wordsOf(fields.content ?? []),
  };
}

function toolOfAcp(call: Record<string, unknown> | null): RequestTool | null {
  if (!call) return null;
  const input = isRecord(call.rawInput) ? call.rawInput : null;
  const content = Array.isArray(call.content) ? call.content.filter(isRecord) : [];
  return {
    id: textAt(call, ['toolCallId']) ?? '',
    name: textAt(call, ['name']),
    kind: toolKind(call.kind),
    title: textAt(call, ['title']) ?? '',
    input,
    diffs: content.flatMap(diffOf),
    says: textAt(input, ['description']) ?? wordsOf(content.map((part) => part.content)),
  };
}

function toolKind(kind: unknown): RequestTool['kind'] {
  return TOOL_KINDS.includes(String(kind)) ? (kind as RequestTool['kind']) : 'other';
}

function diffOf(part: Record<string, unknown>): Diff[] {
  if (part.type !== 'diff' || typeof part.path !== 'string') return [];
  const meta = isRecord(part._meta) && isRecord(part._meta.sandbox_agent) ? part._meta : null;
  const place = meta && isRecord(meta.sandbox_agent) ? meta.sandbox_agent : {};
  return [
    {
      path: part.path,
      oldText: typeof part.oldText === 'string' ? part.oldText : null,
      newText: typeof part.newText === 'string' ? part.newText : '',
      isWholeFile: typeof place.isWholeFile === 'boolean' ? place.isWholeFile : null,
    },
  ];
}

function wordsOf(content: readonly unknown[]): string | null {
  const texts = content
    .filter(isRecord)
    .filter((block) => block.type === 'text' && typeof block.text === 'string')
    .map((block) => String(block.text).trim());
  return texts.join('\n').trim() || null;
}

function optionOf(option: {
  optionId: string;
  name?: string;
  kind?: string | null;
}): RequestOption {
  const kind = option.kind ?? '';
  return {
    optionId: option.optionId,
    name: option.name || option.optionId,
    kind: OPTION_KINDS.includes(kind) ? (kind as OptionKind) : null,
  };
}

function isQuestion(value: unknown): value is Question {
  return isRecord(value) && typeof value.id === 'string' && typeof value.question === 'string';
}

/** Of an item, or of what an answer is answered with: each kind has some of these. */
function outcomeOf(from: RequestItem | Resolution): Omit<RequestOutcome, 'outcome'> {
  const told = from as Partial<Omit<RequestOutcome, 'outcome'>>;
  return {
    decidedBy: told.decidedBy ?? null,
    optionId: told.optionId,
    optionKind: told.optionKind,
    optionName: told.optionName,
    reply: told.reply,
    answers: told.answers,
    scope: told.scope,
    message: told.message,
    updatedInput: told.updatedInput,
    onReject: told.onReject,
    decision: told.decision,
    context: told.context,
    rule: told.rule,
    actor: told.actor,
    resolvedAt: told.resolvedAt,
  };
}

function textAt(input: Readonly<Record<string, unknown>> | null, names: string[]): string | null {
  for (const name of names) {
    const value = input?.[name];
    if (typeof value === 'string' && value.trim()) return value;
  }
  return null;
}
