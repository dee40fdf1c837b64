import { ArrowDown, ArrowLeft, ArrowRight, ArrowUp, ClipboardPaste } from 'lucide-react';
import type { ReactNode } from 'react';
import type { BarKey, HeldKeys } from 'sandbox-agent-react/terminal';
import styles from './KeyBar.module.css';

interface KeyBarProps {
  held: HeldKeys;
  onHold: (held: HeldKeys) => void;
  onPress: (key: BarKey) => void;
  onPaste: () => void;
}

const KEYS: readonly { key: BarKey; label: string; face: ReactNode }[] = [
  { key: 'escape', label: 'Escape', face: 'Esc' },
  { key: 'tab', label: 'Tab', face: 'Tab' },
];
const MOVES: readonly { key: BarKey; label: string; face: ReactNode }[] = [
  { key: 'up', label: 'Up', face: <ArrowUp /> },
  { key: 'down', label: 'Down', face: <ArrowDown /> },
  { key: 'left', label: 'Left', face: <ArrowLeft /> },
  { key: 'right', label: 'Right', face: <ArrowRight /> },
  { key: 'home', label: 'Home', face: 'Home' },
  { key: 'end', label: 'End', face: 'End' },
  { key: 'pageUp', label: 'Page up', face: 'PgUp' },
  { key: 'pageDown', label: 'Page down', face: 'PgDn' },
];

/** Keys that the keyboard of a phone does not have. A press leaves the focus, and so the keyboard, where it is. */
export function KeyBar({ held, onHold, onPress, onPaste }: KeyBarProps) {
  const plain = ({ key, label, face }: (typeof KEYS)[number]) => (
    <BarButton key={key} label={label} onPress={() => onPress(key)}>
      {face}
    </BarButton>
  );
  return (
    <div role="toolbar" aria-label="Keys" className={styles.bar}>
      {KEYS.map(plain)}
      <BarButton
        label="Control, for the next key"
        isHeld={held.control}
        onPress={() => onHold({ ...held, control: !held.control })}
      >
        Ctrl
      </BarButton>
      <BarButton
        label="Alt, for the next key"
        isHeld={held.alt}
        onPress={() => onHold({ ...held, alt: !held.alt })}
      >
        Alt
      </BarButton>
      {MOVES.map(plain)}
      <BarButton label="Paste" onPress={onPaste}>
        <ClipboardPaste />
      </BarButton>
    </div>
  );
}

interface BarButtonProps {
  label: string;
  isHeld?: boolean;
  onPress: () => void;
  children: ReactNode;
}

function BarButton({ label, isHeld, onPress, children }: BarButtonProps) {
  return (
    <button
      type="button"
      className={styles.key}
      aria-label={label}
      aria-pressed={isHeld}
      onPointerDown={(event) => event.preventDefault()}
      onClick={onPress}
    >
      {children}
    </button>
  );
}
