import { Fragment, type ReactNode } from 'react';
import type { ContentBlock } from 'sandbox-agent-client';
import { type TerminalSpan, type TerminalStyle, terminalText } from '../ansi/index.ts';
import { diffRows, type FileDiff } from '../diff/index.ts';
import { foreign, shortened } from '../foreign.ts';
import { lexMarkdown } from '../markdown/blocks.ts';
import { blockElement, type MarkdownComponents, PLAIN_COMPONENTS } from '../markdown/elements.tsx';
import type { ToolPart } from '../tools/parts.ts';

const DATA_IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/;
const IMAGE_TYPE = /^image\/(?:png|jpeg|gif|webp)$/;
const MAX_IMAGE_CHARS = 14_000_000;
const OUTPUT_LINES = 1000;
const DIFF_LINES = 2000;

const COMPONENTS: MarkdownComponents = {
  ...PLAIN_COMPONENTS,
  Image: ({ src, alt }) =>
    DATA_IMAGE.test(src) && src.length < MAX_IMAGE_CHARS ? (
      <img src={src} alt={alt} />
    ) : (
      <span className="note">[image, not loaded: {foreign(alt || src.slice(0, 80))}]</span>
    ),
};

/** Markdown as the app shows it, and with nothing that is loaded from anywhere. */
export function Text({ text }: { text: string }): ReactNode {
  return (
    <div className="text">
      {lexMarkdown(text, false).blocks.map((block, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: blocks of a text have no identity but their place
        <Fragment key={index}>
          {block.token ? blockElement(block.token, COMPONENTS, false) : <pre>{block.raw}</pre>}
        </Fragment>
      ))}
    </div>
  );
}

/** A name of somebody else. */
export function Name({ text, maxChars = 300 }: { text: string; maxChars?: number }) {
  return <bdi>{shortened(foreign(text), maxChars)}</bdi>;
}

export function Attachment({ block }: { block: ContentBlock }) {
  const { type, data, mimeType, name, uri } = block as Record<string, unknown>;
  const isImage =
    type === 'image' &&
    typeof data === 'string' &&
    typeof mimeType === 'string' &&
    IMAGE_TYPE.test(mimeType) &&
    data.length < MAX_IMAGE_CHARS &&
    /^[A-Za-z0-9+/=]+$/.test(data);
  if (isImage) return <img src={`data:${mimeType};base64,${data}`} alt="Attached" />;
  const told = [name, uri, mimeType, type].find((one) => typeof one === 'string');
  return (
    <p className="note">
      Attached: <Name text={typeof told === 'string' ? told : 'something'} />
    </p>
  );
}

export function Output({ text }: { text: string }) {
  const { lines } = terminalText(text);
  const isCut = lines.length > OUTPUT_LINES;
  const half = OUTPUT_LINES / 2;
  const shown = isCut ? [...lines.slice(0, half), null, ...lines.slice(-half)] : lines;
  return (
    <pre>
      {shown.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have nothing but their place
        <Fragment key={index}>
          {line === null
            ? `… ${lines.length - OUTPUT_LINES} lines left out …`
            : line.map(spanElement)}
          {'\n'}
        </Fragment>
      ))}
    </pre>
  );
}

function spanElement(span: TerminalSpan, index: number): ReactNode {
  const classes = classesOf(span.style);
  if (!classes) return span.text;
  return (
    <span key={index} className={classes}>
      {span.text}
    </span>
  );
}

function classesOf(style: TerminalStyle): string {
  const classes: string[] = [];
  if (typeof style.fg === 'number' && style.fg < 16) classes.push(`t${style.fg % 8}`);
  if (style.bold) classes.push('tb');
  if (style.dim) classes.push('td');
  if (style.underline) classes.push('tu');
  return classes.join(' ');
}

const MARKS = { context: ' ', add: '+', del: '-' } as const;
const CLASSES = { context: undefined, add: 'a', del: 'd' } as const;
const NOTHING_OPEN = new Map();

export function Patch({ file }: { file: FileDiff }) {
  const rows = diffRows(file, NOTHING_OPEN);
  const shown = rows.slice(0, DIFF_LINES);
  return (
    <pre className="diff">
      <b>
        {file.oldPath && file.oldPath !== file.path && (
          <>
            <Name text={file.oldPath} /> →{' '}
          </>
        )}
        <Name text={file.path} /> <StatusOf file={file} />
      </b>
      {file.binary && <span className="g">Binary file</span>}
      {shown.map((row) =>
        row.type === 'fold' ? (
          <span key={row.id} className="g">
            ┄ {row.count === null ? 'more' : row.count} unchanged{' '}
            {row.count === 1 ? 'line' : 'lines'} ┄
          </span>
        ) : (
          <span key={row.id} className={CLASSES[row.line.kind]}>
            {MARKS[row.line.kind]}
            {row.line.text}
          </span>
        ),
      )}
      {rows.length > shown.length && (
        <span className="g">… {rows.length - shown.length} more lines</span>
      )}
    </pre>
  );
}

function StatusOf({ file }: { file: FileDiff }) {
  const status = file.status === 'modified' ? '' : `${file.status.replace('_', ' ')}, `;
  return <span className="note">{`${status}+${file.additions} −${file.deletions}`}</span>;
}

export function Part({ part }: { part: ToolPart }): ReactNode {
  switch (part.type) {
    case 'command':
      return <pre>{part.command}</pre>;
    case 'diff':
      return <Patch file={part.file} />;
    case 'output':
      return (
        <>
          {part.output.text && <Output text={part.output.text} />}
          {part.output.stderr && <Output text={part.output.stderr} />}
        </>
      );
    case 'code':
      return <Output text={part.code.text} />;
    case 'plain':
      return <Output text={part.text} />;
    case 'error':
      return (
        <div className="error">
          <Output text={part.text} />
        </div>
      );
    case 'markdown':
      return (
        <>
          {part.label && <p className="note">{part.label}</p>}
          <Text text={part.text} />
        </>
      );
    case 'note':
      return <p className="note">{part.text}</p>;
    case 'todos':
      return (
        <Checklist entries={part.todos.map(({ text, status }) => ({ content: text, status }))} />
      );
    case 'links':
      return (
        <ul>
          {part.links.map((link) => (
            <li key={link.url}>
              <Name text={link.url} />
            </li>
          ))}
        </ul>
      );
    case 'questions':
      return part.questions.map(({ question, answer }) => (
        <p key={question}>
          <Name text={question} /> {answer !== null && <strong>{foreign(answer)}</strong>}
        </p>
      ));
    case 'attachment':
      return <Attachment block={part.block} />;
    case 'value':
      return (
        <>
          <p className="note">{part.label}</p>
          <Output text={JSON.stringify(part.value, null, 2) ?? ''} />
        </>
      );
  }
}

const BOXES: Readonly<Record<string, string>> = { completed: '☑', in_progress: '◐' };

export function Checklist({
  entries,
}: {
  entries: readonly { content: string; status?: string | null }[];
}) {
  return (
    <ul className="plan">
      {entries.map((entry, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two steps may have one text
        <li key={index}>
          {BOXES[entry.status ?? ''] ?? '☐'} <Name text={entry.content} maxChars={2000} />
        </li>
      ))}
    </ul>
  );
}
