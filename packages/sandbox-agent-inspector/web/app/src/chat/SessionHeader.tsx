import {
  ChevronLeft,
  Download,
  Ellipsis,
  GitBranch,
  Hash,
  Link,
  Play,
  ScanSearch,
  Shrink,
  Square,
  Undo2,
} from 'lucide-react';
import { useRef, useState } from 'react';
import type { SessionInfo } from 'sandbox-agent-client';
import { formatElapsed, useNow, useSessionInfo, useSessionSelector } from 'sandbox-agent-react';
import { modelName, modeName } from '../composer/modes.ts';
import { titleOf } from '../sessions/naming.ts';
import { StatusGlyph } from '../sessions/StatusGlyph.tsx';
import { copyText } from '../shell/clipboard.ts';
import { linkTo, navigate, paths } from '../shell/navigation.ts';
import { useScreenWidth } from '../shell/screen.ts';
import { useCommand } from '../shell/shortcuts.ts';
import { Foreign, IconButton, Menu, type MenuGroup } from '../ui/index.ts';
import { formatCost } from './format.ts';
import { useOperations } from './operations.tsx';
import styles from './SessionHeader.module.css';

export function SessionHeader({ sessionId }: { sessionId: string }) {
  const info = useSessionInfo(sessionId);
  const since = useSessionSelector(
    sessionId,
    ({ transcript }) =>
      transcript.turns.findLast((turn) => turn.id && turn.startedAt && !turn.endedAt)?.startedAt,
  );
  const told = useSessionSelector(sessionId, ({ transcript }) => transcript.usage?.cost ?? null);
  if (info === null) {
    return (
      <header className={styles.header}>
        <Back />
        <h1 className={styles.title}>
          <Foreign text={sessionId} maxChars={40} />
        </h1>
      </header>
    );
  }
  const cost = info.usage?.cost ?? told;
  return (
    <header className={styles.header}>
      <Back />
      <StatusGlyph status={info.status} waits={(info.pendingRequests ?? 0) > 0} />
      <Title info={info} />
      <Settings info={info} />
      <div className={styles.facts}>
        {since && <Elapsed since={since} />}
        {cost !== null && cost.amount > 0 && (
          <span title="Cost of the session so far">{formatCost(cost)}</span>
        )}
      </div>
      <SessionMenu info={info} />
    </header>
  );
}

/** Where one thing is shown at a time, there has to be a way out of it. */
function Back() {
  if (useScreenWidth() !== 'narrow') return null;
  return (
    <IconButton
      label="Back to the sessions"
      className={styles.back}
      onPress={() => navigate(paths.sessions())}
    >
      <ChevronLeft />
    </IconButton>
  );
}

function Elapsed({ since }: { since: string }) {
  const now = useNow(true);
  return <span title="This turn runs since">{formatElapsed(now - Date.parse(since))}</span>;
}

function Title({ info }: { info: SessionInfo }) {
  const { rename } = useOperations();
  const [draft, setDraft] = useState<string | null>(null);
  const isDone = useRef(false);
  const title = titleOf(info);
  const start = () => {
    isDone.current = false;
    setDraft(info.title ?? '');
  };
  useCommand(start, { label: 'Rename session', group: 'Session', id: 'session.rename' });
  const finish = (isSaved: boolean) => {
    // Leaving the field by Enter or Escape also blurs it.
    if (isDone.current) return;
    isDone.current = true;
    setDraft(null);
    const next = draft?.trim() ?? '';
    if (isSaved && next !== (info.title ?? '')) void rename(next);
  };
  if (draft !== null) {
    return (
      <input
        className={styles.titleField}
        aria-label="Title of the session"
        placeholder={title}
        value={draft}
        maxLength={200}
        // biome-ignore lint/a11y/noAutofocus: somebody asked to write here
        autoFocus
        onFocus={(event) => event.target.select()}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={() => finish(true)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === 'Enter') finish(true);
          if (event.key === 'Escape') {
            event.stopPropagation();
            finish(false);
          }
        }}
      />
    );
  }
  return (
    <h1 className={styles.title}>
      <button type="button" className={styles.titleButton} title="Rename" onClick={start}>
        <Foreign text={title} maxChars={120} />
      </button>
    </h1>
  );
}

/** Who works here, and how. It is changed where one writes. */
function Settings({ info }: { info: SessionInfo }) {
  const words = [info.agent, modelName(info), modeName(info)].filter((word) => word !== null);
  return (
    <p className={styles.settings} title="Agent, model and mode">
      {words.map((word, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: each has its place
        <Foreign key={index} text={word} maxChars={28} />
      ))}
    </p>
  );
}

function SessionMenu({ info }: { info: SessionInfo }) {
  const operations = useOperations();
  const isOver = info.status === 'ended' || info.status === 'dormant';
  const lastTurnId = useSessionSelector(
    info.id,
    ({ transcript }) =>
      transcript.turns.findLast((turn) => turn.id && turn.origin === 'prompt' && !turn.rewound)?.id,
  );
  const rewind = () => {
    if (lastTurnId) operations.askRewind(lastTurnId);
  };
  const actions: Record<string, () => unknown> = {
    link: () => copyText(linkTo(paths.session(info.id)), 'Link'),
    id: () => copyText(info.id, 'Id'),
    export: operations.askExport,
    fork: () => operations.fork(),
    rewind,
    compact: operations.compact,
    review: operations.review,
    resume: operations.resume,
    end: operations.askEnd,
  };
  useCommand(() => operations.fork(), { label: 'Fork session', group: 'Session' });
  useCommand(operations.compact, {
    label: 'Compact the context',
    group: 'Session',
    when: !isOver,
  });
  useCommand(operations.review, { label: 'Review the changes', group: 'Session', when: !isOver });
  useCommand(operations.askExport, { label: 'Export session', group: 'Session' });
  const groups: MenuGroup[] = [
    {
      id: 'copy',
      entries: [
        { id: 'link', label: 'Copy link', icon: <Link /> },
        { id: 'id', label: 'Copy id', icon: <Hash /> },
        { id: 'export', label: 'Export…', icon: <Download /> },
      ],
    },
    {
      id: 'work',
      entries: [
        {
          id: 'fork',
          label: 'Fork',
          description: 'A new session that begins with all of this one.',
          icon: <GitBranch />,
        },
        {
          id: 'rewind',
          label: 'Take back the last turn…',
          icon: <Undo2 />,
          disabled: !lastTurnId,
        },
        {
          id: 'compact',
          label: 'Compact the context',
          description: 'The agent goes on with a summary.',
          icon: <Shrink />,
          disabled: isOver,
        },
        { id: 'review', label: 'Review the changes', icon: <ScanSearch />, disabled: isOver },
      ],
    },
    {
      id: 'life',
      entries: isOver
        ? [{ id: 'resume', label: 'Resume', icon: <Play /> }]
        : [{ id: 'end', label: 'End session…', icon: <Square />, danger: true }],
    },
  ];
  return (
    <Menu
      label="Session"
      placement="bottom end"
      trigger={
        <IconButton label="What to do with this session">
          <Ellipsis />
        </IconButton>
      }
      groups={groups}
      onAction={(id) => actions[id]?.()}
    />
  );
}
