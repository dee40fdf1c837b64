import { useMemo, useState } from 'react';
import type { SessionInfo } from 'sandbox-agent-client';
import {
  fileDiffOf,
  foreign,
  foreignCode,
  isBookkeeping,
  isInside,
  otherInput,
  type RequestModel,
  relativePath,
  useRequestCard,
  whyAsked,
} from 'sandbox-agent-react';
import { Prose } from '../chat/Prose.tsx';
import { Diff } from '../diff/index.ts';
import { Disclosure, Foreign } from '../ui/index.ts';
import styles from './Card.module.css';

type RequestDiffs = NonNullable<RequestModel['tool']>['diffs'];

const MAX_PATHS = 12;

/** What a tool is about to do: all that a person has to see to allow it. */
export function ToolSubject({ session }: { session: SessionInfo | null }) {
  const { request, cardState } = useRequestCard();
  const { tool, command, paths } = request;
  const cwd = session?.cwd ?? '';
  const runsIn = request.cwd ?? (command ? cwd : '');
  const diffs = tool?.diffs ?? [];
  const plan = tool?.kind === 'switch_mode' ? planOf(tool.input) : null;
  const shown = new Set(diffs.map((diff) => diff.path));
  // Some agents tell where a command runs as one of its files.
  const others = paths.filter((path) => !shown.has(path) && path !== runsIn && path !== cwd);
  const outside = paths.filter(
    (path) => cwd && !isInside(path, cwd, session?.additionalDirectories),
  );
  const rest = otherInput(request);
  return (
    <div className={styles.subject}>
      {command && <pre className={styles.command}>{foreignCode(command)}</pre>}
      {!command && tool?.title && tool.kind === 'execute' && (
        <pre className={styles.command}>{foreignCode(tool.title)}</pre>
      )}
      {!command && tool?.title && tool.kind !== 'execute' && diffs.length === 0 && !plan && (
        <p className={styles.subjectTitle}>
          <Foreign text={tool.title} maxChars={400} />
        </p>
      )}
      {plan && (
        <div className={styles.plan}>
          <Prose text={plan} />
        </div>
      )}
      {runsIn && (
        <p className={styles.faint}>
          in <Foreign text={runsIn} maxChars={120} className={styles.path} />
        </p>
      )}
      {others.length > 0 && (
        <ul className={styles.paths}>
          {others.slice(0, MAX_PATHS).map((path) => (
            <li key={path}>
              <Foreign text={relativePath(path, cwd)} maxChars={120} className={styles.path} />
            </li>
          ))}
          {others.length > MAX_PATHS && <li>and {others.length - MAX_PATHS} more</li>}
        </ul>
      )}
      {outside.length > 0 && (
        <p className={styles.outside}>
          Outside of the workspace:{' '}
          <Foreign text={outside.slice(0, 3).join(', ')} maxChars={200} className={styles.path} />
          {outside.length > 3 && ` and ${outside.length - 3} more`}
        </p>
      )}
      {diffs.length > 0 && <Changes diffs={diffs} cwd={cwd} />}
      {rest && <Facts facts={rest} />}
      {tool?.says && tool.says !== command && !plan && (
        <p className={styles.says}>
          <Foreign text={session?.agent ?? 'The agent'} maxChars={40} /> says: “
          <bdi>{foreignCode(tool.says)}</bdi>”
        </p>
      )}
      {request.output !== undefined && request.output !== null && (
        <pre className={styles.code}>{foreignCode(asText(request.output))}</pre>
      )}
      {cardState !== 'resolved' && session && (
        <p className={styles.why}>{whyAsked(request, session)}</p>
      )}
    </div>
  );
}

function Changes({ diffs, cwd }: { diffs: RequestDiffs; cwd: string }) {
  const files = useMemo(() => diffs.map(fileDiffOf), [diffs]);
  return (
    <div className={styles.changes}>
      {files.map((file, index) => (
        <Diff
          // biome-ignore lint/suspicious/noArrayIndexKey: one call may change a file twice
          key={`${index}:${file.path}`}
          file={file}
          name={relativePath(file.path, cwd)}
        />
      ))}
    </div>
  );
}

/** A function of a client: it answers, not a person. */
export function HostCall() {
  const { request } = useRequestCard();
  return (
    <div className={styles.subject}>
      <HostCallInput />
      <p className={styles.why}>
        Waits for the client{' '}
        <Foreign text={request.call?.client ?? 'that registered it'} maxChars={80} />, whose
        function it is: it is answered by that program, not here.
      </p>
    </div>
  );
}

export function HostCallInput() {
  const { call } = useRequestCard().request;
  if (!call) return null;
  return (
    <>
      <pre className={styles.command}>{foreign(call.tool)}</pre>
      {Object.keys(call.input).length > 0 && <Facts facts={call.input} />}
    </>
  );
}

function Facts({ facts }: { facts: Readonly<Record<string, unknown>> }) {
  const [isOpen, setOpen] = useState(false);
  const entries = Object.entries(facts);
  const telling = entries.filter(([name]) => !isBookkeeping(name));
  const rest = entries.filter(([name]) => isBookkeeping(name));
  return (
    <>
      {telling.length > 0 && <FactList entries={telling} />}
      {rest.length > 0 && (
        <Disclosure
          summary={<span className={styles.faint}>{rest.length} technical fields</span>}
          isOpen={isOpen}
          onToggle={setOpen}
        >
          <FactList entries={rest} />
        </Disclosure>
      )}
    </>
  );
}

function FactList({ entries }: { entries: readonly (readonly [string, unknown])[] }) {
  return (
    <dl className={styles.facts}>
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>
            <Foreign text={name} maxChars={60} />
          </dt>
          <dd>{foreignCode(asText(value))}</dd>
        </div>
      ))}
    </dl>
  );
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? '');
}

function planOf(input: Readonly<Record<string, unknown>> | null): string | null {
  const plan = input?.plan;
  return typeof plan === 'string' && plan.trim() ? plan : null;
}
