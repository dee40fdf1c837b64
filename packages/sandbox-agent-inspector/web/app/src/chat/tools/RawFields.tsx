import type { ToolItem } from 'sandbox-agent-client';
import styles from './parts.module.css';
import { Value } from './Value.tsx';

/** All that is known of a call, as the agent tells it. */
export function RawFields({ item }: { item: ToolItem }) {
  const { content: _content, diffs: _diffs, terminalOutput: _printed, ...fields } = item;
  const told = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined),
  );
  return (
    <div className={styles.part} data-part="raw">
      <div className={styles.label}>Details</div>
      <Value value={told} label="Details" />
    </div>
  );
}
