/** A picture for each sort of call, and a shape for each state: nothing is told by colour alone. */
import {
  Ban,
  Bot,
  Check,
  CircleDashed,
  CircleHelp,
  Compass,
  Diamond,
  FileInput,
  FileText,
  Globe,
  Lightbulb,
  ListChecks,
  type LucideIcon,
  Pencil,
  Plug,
  Search,
  Sparkles,
  Square,
  SquareTerminal,
  Trash2,
  Wrench,
  X,
} from 'lucide-react';
import type { ToolSort, ToolState } from 'sandbox-agent-react';
import styles from './tool.module.css';

const SORTS: Readonly<Record<ToolSort, LucideIcon>> = {
  read: FileText,
  edit: Pencil,
  delete: Trash2,
  move: FileInput,
  search: Search,
  'web-search': Globe,
  execute: SquareTerminal,
  think: Lightbulb,
  agent: Bot,
  todos: ListChecks,
  fetch: Globe,
  mode: Compass,
  question: CircleHelp,
  mcp: Plug,
  skill: Sparkles,
  other: Wrench,
};

export function SortGlyph({ sort }: { sort: ToolSort }) {
  const Icon = SORTS[sort];
  return <Icon aria-hidden className={styles.glyph} />;
}

const STATES: Readonly<Record<ToolState, { icon: LucideIcon | null; word: string }>> = {
  pending: { icon: CircleDashed, word: 'not begun' },
  waiting: { icon: Diamond, word: 'waits for you' },
  running: { icon: null, word: 'running' },
  background: { icon: null, word: 'in the background' },
  done: { icon: Check, word: 'done' },
  failed: { icon: X, word: 'failed' },
  denied: { icon: Ban, word: 'denied' },
  stopped: { icon: Square, word: 'stopped' },
};

/** Words stand beside the glyph where it is not a matter of course. */
const SAID: ReadonlySet<ToolState> = new Set([
  'waiting',
  'background',
  'failed',
  'denied',
  'stopped',
]);

export function stateWord(state: ToolState): string {
  return STATES[state].word;
}

export function StateGlyph({ state }: { state: ToolState }) {
  const { icon: Icon, word } = STATES[state];
  return (
    <span className={styles.state} data-state={state}>
      {SAID.has(state) ? (
        <span className={styles.stateWord}>{word}</span>
      ) : (
        <span className="visually-hidden">{word}</span>
      )}
      {Icon ? <Icon aria-hidden /> : <span aria-hidden className={styles.pulse} />}
    </span>
  );
}
