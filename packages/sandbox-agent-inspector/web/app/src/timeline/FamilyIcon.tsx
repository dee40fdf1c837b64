import {
  Bot,
  Brain,
  CircleAlert,
  CircleDot,
  CircleHelp,
  Diamond,
  Gauge,
  ListChecks,
  MessageSquare,
  Plug,
  Power,
  Repeat,
  Settings2,
  Timer,
  Webhook,
  Wrench,
} from 'lucide-react';
import type { RowState } from 'sandbox-agent-react';
import styles from './Row.module.css';

const ICONS: Readonly<Record<string, typeof Bot>> = {
  agent: Bot,
  commands: Settings2,
  config: Settings2,
  context: Repeat,
  error: CircleAlert,
  hook: Webhook,
  host_tool: Plug,
  log: CircleAlert,
  mcp: Plug,
  message: MessageSquare,
  mode: Settings2,
  permission: Diamond,
  permission_mode: Settings2,
  plan: ListChecks,
  question: CircleHelp,
  reasoning: Brain,
  session: Power,
  task: Timer,
  tool: Wrench,
  turn: Repeat,
  usage: Gauge,
};

export function FamilyIcon({ family, state }: { family: string; state: RowState }) {
  const Icon = (Object.hasOwn(ICONS, family) ? ICONS[family] : undefined) ?? CircleDot;
  return (
    <span className={styles.icon} data-state={state} aria-hidden>
      <Icon />
    </span>
  );
}
