/** The state of a session as a form; colour only adds to it. */
import type { SessionInfo } from 'sandbox-agent-client';
import { STATUS_WORDS } from './naming.ts';
import styles from './StatusGlyph.module.css';

interface StatusGlyphProps {
  status: SessionInfo['status'];
  /** A request waits, whatever the session does besides. */
  waits?: boolean;
}

const FORMS = {
  waiting: <path d="M8 1.5 14.5 8 8 14.5 1.5 8z" fill="currentColor" />,
  running: (
    <>
      <circle
        cx="8"
        cy="8"
        r="5.5"
        fill="none"
        stroke="currentColor"
        strokeWidth="2"
        opacity="0.35"
      />
      <path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor" />
    </>
  ),
  starting: (
    <circle
      cx="8"
      cy="8"
      r="5.5"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeDasharray="3.4 2.4"
    />
  ),
  background: (
    <>
      <circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" strokeWidth="2" />
      <circle cx="8" cy="8" r="2.2" fill="currentColor" />
    </>
  ),
  idle: <circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" strokeWidth="2" />,
  dormant: <path d="M10.5 2.2a6 6 0 1 0 3.4 8.3A5 5 0 0 1 10.5 2.2z" fill="currentColor" />,
  ended: (
    <rect
      x="3.5"
      y="3.5"
      width="9"
      height="9"
      rx="1.5"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
    />
  ),
  damaged: (
    <path
      d="M3.5 3.5l9 9m0-9l-9 9"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.2"
      strokeLinecap="round"
    />
  ),
} as const;

export function StatusGlyph({ status, waits = false }: StatusGlyphProps) {
  const form = waits ? 'waiting' : status;
  return (
    <svg
      className={styles.glyph}
      data-status={form}
      viewBox="0 0 16 16"
      width="14"
      height="14"
      role="img"
      aria-label={STATUS_WORDS[form]}
    >
      {FORMS[form]}
    </svg>
  );
}
