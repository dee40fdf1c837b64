import type { FoldedTranscript, FoldedTurn, Item, ToolItem } from 'sandbox-agent-client';
import { plainText } from '../ansi/index.ts';
import { describeTool } from '../tools/describe.ts';
import { formatDuration } from '../tools/format.ts';
import { childrenOf, parentOf } from '../tools/grouping.ts';
import { type ToolPart, toolParts } from '../tools/parts.ts';
import {
  type ExportFacts,
  type ExportOptions,
  patchText,
  promptOf,
  textOfBlocks,
  titleOf,
  turnFacts,
  utc,
} from './facts.ts';
import { codeSpan, embedded, escapedLine, fenced, quoted } from './markdown-text.ts';
import { isRequest, requestWords } from './requests.ts';

/** Lines of an output: a forge shows no more of a page anyway, and the JSON lines have all. */
const OUTPUT_LINES = 200;
/** Of calls in calls: no further than a reader can follow, nor a stack. */
const MAX_DEPTH = 12;

/** A session as a Markdown document: it reads well where it is rendered, and as text, too. */
export function markdownTranscript(
  transcript: FoldedTranscript,
  facts: ExportFacts,
  options: ExportOptions,
): string {
  const writer = new Writer(transcript, options);
  return `${[...head(transcript, facts), ...writer.turns(facts.part?.from ?? 1), ...foot(facts)].join('\n\n')}\n`;
}

function head(transcript: FoldedTranscript, facts: ExportFacts): string[] {
  const { agent, model, cwd, sessionId, turns } = transcript;
  const lines = [
    agent && `- Agent: ${codeSpan(agent)}${model ? `, model ${codeSpan(model)}` : ''}`,
    cwd && `- Folder: ${codeSpan(cwd)}`,
    sessionId && `- Session: ${codeSpan(sessionId)}`,
    turns[0]?.startedAt && `- Began: ${utc(turns[0].startedAt)}`,
    facts.part && `- Turns ${facts.part.from} to ${facts.part.to} of ${facts.part.turns}`,
  ];
  return [`# ${escapedLine(titleOf(transcript))}`, lines.filter(Boolean).join('\n')];
}

function foot(facts: ExportFacts): string[] {
  const hash = facts.sha256 ? `, SHA-256 of its JSON lines \`${facts.sha256}\`` : '';
  return [
    '---',
    `Exported ${utc(facts.exportedAt)} by sandbox-agent ${facts.version} from ${facts.events} events${hash}.`,
  ];
}

class Writer {
  constructor(
    private readonly transcript: FoldedTranscript,
    private readonly options: ExportOptions,
  ) {}

  turns(first: number): string[] {
    return this.transcript.turns.flatMap((turn, index) => this.turn(turn, first + index));
  }

  private turn(turn: FoldedTurn, number: number): string[] {
    const out: string[] = [];
    if (turn.id || turn.prompt) {
      const when = utc(turn.startedAt);
      const rewound = turn.rewound ? ' (taken back later)' : '';
      out.push(`## Turn ${number}${when ? ` · ${when}` : ''}${rewound}`);
    }
    const prompt = promptOf(turn);
    if (prompt) out.push(`**You**\n\n${quoted(embedded(prompt))}`);
    for (const block of turn.prompt ?? []) {
      if (block.type !== 'text') out.push(`*Attached: ${escapedLine(nameOf(block))}*`);
    }
    const items = turn.items ?? [];
    const calls = new Set(items.flatMap((item) => (item.type === 'tool' ? [item.toolCallId] : [])));
    const isNested = (item: Item) => calls.has(parentOf(item) ?? '');
    for (const steered of turn.steered ?? []) {
      out.push(`**You, meanwhile**\n\n${quoted(embedded(textOfBlocks(steered.content ?? [])))}`);
    }
    for (const item of items) if (!isNested(item)) out.push(...this.item(item, turn));
    if (turn.error)
      out.push(`**Error** ${codeSpan(turn.error.code)}: ${escapedLine(turn.error.message)}`);
    const facts = turnFacts(turn);
    if (facts.length > 0) out.push(`*${facts.map(escapedLine).join(' · ')}*`);
    return out;
  }

  private item(item: Item, turn: FoldedTurn, depth = 0): string[] {
    switch (item.type) {
      case 'message':
        return [
          embedded(item.role === 'user' ? quoted(item.text ?? '') : (item.text ?? '')),
        ].filter(Boolean);
      case 'reasoning':
        if (!this.options.reasoning || !item.text) return [];
        return [`*Thought*\n\n${quoted(embedded(item.text))}`];
      case 'tool':
        return this.tool(item, turn, depth);
      case 'plan':
        return [
          (item.entries ?? [])
            .map((entry) => {
              const box = entry.status === 'completed' ? '[x]' : '[ ]';
              const now = entry.status === 'in_progress' ? ' *(now)*' : '';
              return `- ${box} ${escapedLine(entry.content)}${now}`;
            })
            .join('\n'),
        ];
      case 'notice':
        return [
          `*${escapedLine([item.notice.replaceAll('_', ' '), item.text].filter(Boolean).join(': '))}*`,
        ];
      default: {
        if (!isRequest(item)) return [];
        const { what, about, answer } = requestWords(item);
        return [`**${what}** ${codeSpan(about)}: ${escapedLine(answer)}`];
      }
    }
  }

  private tool(item: ToolItem, turn: FoldedTurn, depth: number): string[] {
    const children = childrenOf(turn, item.toolCallId);
    const summary = describeTool(item, {
      turn,
      cwd: this.transcript.cwd,
      hasChildren: children.length > 0,
    });
    const facts = [
      summary.durationMs === null ? null : formatDuration(summary.durationMs),
      summary.exitCode ? `exit code ${summary.exitCode}` : null,
      summary.state === 'done' ? null : summary.state,
    ].filter(Boolean);
    const about = codeSpan(summary.object);
    const out = [
      `**${escapedLine(summary.verb)}**${about && ` ${about}`}${facts.length > 0 ? ` · ${facts.join(' · ')}` : ''}`,
    ];
    if (this.options.details) {
      for (const part of toolParts(item, summary, this.transcript.cwd)) out.push(...partText(part));
    }
    if (children.length > 0 && depth < MAX_DEPTH) {
      const inner = children.flatMap((child) => this.item(child, turn, depth + 1));
      out.push(quoted(inner.join('\n\n')));
    }
    return out;
  }
}

function nameOf(block: object): string {
  const { name, uri, type, mimeType } = block as Record<string, unknown>;
  const told = [name, uri, mimeType, type].find((one) => typeof one === 'string');
  return typeof told === 'string' ? told : 'something';
}

function partText(part: ToolPart): string[] {
  switch (part.type) {
    case 'command':
      return [fenced(part.command, 'sh')];
    case 'diff':
      return [fenced(part.file.binary ? 'Binary file' : patchText(part.file), 'diff')];
    case 'output':
      return [part.output.text, part.output.stderr]
        .filter(Boolean)
        .map((text) => fenced(shortOutput(text), 'text'));
    case 'code':
      return [fenced(shortOutput(part.code.text), 'text')];
    case 'plain':
    case 'error':
      return [fenced(shortOutput(part.text), 'text')];
    case 'markdown':
      return [quoted(embedded(part.text))];
    case 'note':
      return [`*${part.text}*`];
    case 'todos':
      return [
        part.todos
          .map(
            (todo) => `- ${todo.status === 'completed' ? '[x]' : '[ ]'} ${escapedLine(todo.text)}`,
          )
          .join('\n'),
      ];
    case 'links':
      return [part.links.map((link) => `- ${codeSpan(link.url)}`).join('\n')];
    case 'questions':
      return part.questions.map(({ question, answer }) =>
        `${escapedLine(question)} ${answer === null ? '' : `**${escapedLine(answer)}**`}`.trim(),
      );
    case 'attachment':
      return [`*${escapedLine(nameOf(part.block))}*`];
    case 'value':
      return [fenced(shortOutput(JSON.stringify(part.value, null, 2) ?? ''), 'json')];
  }
}

/** The beginning and the end: what was tried, and how it went. */
function shortOutput(text: string): string {
  const lines = plainText(text).replace(/\n+$/, '').split('\n');
  if (lines.length <= OUTPUT_LINES) return lines.join('\n');
  const half = OUTPUT_LINES / 2;
  const left = lines.length - OUTPUT_LINES;
  return [...lines.slice(0, half), `… ${left} lines left out …`, ...lines.slice(-half)].join('\n');
}
