/** The body of a call, part by part. */

import { Copy } from 'lucide-react';
import type { ReactNode } from 'react';
import {
  type AskedQuestion,
  type FoundLink,
  foreignCode,
  relativePath,
  type ToolPart,
} from 'sandbox-agent-react';
import { CopyButton, Diff } from '../../diff/index.ts';
import { Foreign } from '../../ui/index.ts';
import { Attachment } from './Attachment.tsx';
import { Checklist } from './Checklist.tsx';
import { PlainOutput } from './PlainOutput.tsx';
import styles from './parts.module.css';
import { SourceCode } from './SourceCode.tsx';
import { TerminalOutput } from './TerminalOutput.tsx';
import { Value } from './Value.tsx';
import { WebLink } from './WebLink.tsx';
import { Words } from './Words.tsx';

interface PartsProps {
  parts: readonly ToolPart[];
  isLive: boolean;
  cwd: string | null;
  /** Of which there is one, and the header names it already. */
  hasOneFile: boolean;
}

export function Parts({ parts, isLive, cwd, hasOneFile }: PartsProps) {
  return parts.map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: parts have nothing but their place
    <div key={index} className={styles.part} data-part={part.type}>
      {shown(part, isLive, cwd, hasOneFile)}
    </div>
  ));
}

function shown(
  part: ToolPart,
  isLive: boolean,
  cwd: string | null,
  hasOneFile: boolean,
): ReactNode {
  switch (part.type) {
    case 'command':
      return <CommandLine command={part.command} cwd={part.cwd} />;
    case 'diff':
      return (
        <>
          {!part.isApplied && <p className={styles.note}>It would have changed this:</p>}
          <Diff file={part.file} name={relativePath(part.file.path, cwd)} bare={hasOneFile} wrap />
        </>
      );
    case 'output':
      return (
        <>
          {part.output.text !== '' && <TerminalOutput text={part.output.text} isLive={isLive} />}
          {part.output.stderr !== '' && (
            <TerminalOutput text={part.output.stderr} isLive={isLive} label="stderr" />
          )}
        </>
      );
    case 'code':
      return (
        <>
          <SourceCode text={part.code.text} path={part.path} start={part.code.start} />
          {part.code.note && <p className={styles.note}>{foreignCode(part.code.note)}</p>}
        </>
      );
    case 'markdown':
      return (
        <Labelled label={part.label}>
          <Words text={part.text} />
        </Labelled>
      );
    case 'plain':
      return (
        <Labelled label={part.label}>
          <PlainOutput text={part.text} />
        </Labelled>
      );
    case 'error':
      return (
        <div className={styles.error}>
          <PlainOutput text={part.text} />
        </div>
      );
    case 'note':
      return <p className={styles.note}>{part.text}</p>;
    case 'todos':
      return <Checklist todos={part.todos} />;
    case 'links':
      return <Links links={part.links} />;
    case 'questions':
      return <Questions questions={part.questions} />;
    case 'attachment':
      return (
        <div className={styles.attachment}>
          <Attachment block={part.block} />
        </div>
      );
    default:
      return (
        <Labelled label={part.label}>
          <Value value={part.value} label={part.label} />
        </Labelled>
      );
  }
}

function Labelled({ label, children }: { label: string | null; children: ReactNode }) {
  return (
    <>
      {label !== null && <div className={styles.label}>{label}</div>}
      {children}
    </>
  );
}

function CommandLine({ command, cwd }: { command: string; cwd: string | null }) {
  return (
    <div className={styles.command}>
      <pre>
        <span aria-hidden className={styles.prompt} />
        {foreignCode(command)}
      </pre>
      <CopyButton label="Copy command" what="Command" text={command}>
        <Copy />
      </CopyButton>
      {cwd !== null && (
        <p className={styles.directory}>
          in <Foreign text={cwd} />
        </p>
      )}
    </div>
  );
}

function Links({ links }: { links: readonly FoundLink[] }) {
  return (
    <ul className={styles.links}>
      {links.map(({ url, title, snippet }) => (
        <li key={url}>
          <WebLink url={url} text={title} />
          {snippet && <p className={styles.snippet}>{foreignCode(snippet.slice(0, 400))}</p>}
        </li>
      ))}
    </ul>
  );
}

function Questions({ questions }: { questions: readonly AskedQuestion[] }) {
  return (
    <dl className={styles.questions}>
      {questions.map(({ question, options, answer }) => (
        <div key={question}>
          <dt>
            <Foreign text={question} maxChars={400} />
          </dt>
          <dd>
            {answer === null ? (
              <span className={styles.options}>
                <Foreign text={options.join(' · ')} maxChars={300} />
              </span>
            ) : (
              <Foreign text={answer} maxChars={2000} />
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
