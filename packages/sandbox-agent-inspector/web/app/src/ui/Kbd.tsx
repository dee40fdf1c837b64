import styles from './Kbd.module.css';

const IS_MAC = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);
const ON_MAC: Record<string, string> = { Ctrl: '⌘', Alt: '⌥', Shift: '⇧', Enter: '↵' };

/** Keys as this machine calls them: `Ctrl K`. */
export function keyLabel(keys: string): string {
  if (!IS_MAC) return keys;
  return keys
    .split(' ')
    .map((key) => ON_MAC[key] ?? key)
    .join('');
}

export function Kbd({ keys }: { keys: string }) {
  return <kbd className={styles.kbd}>{keyLabel(keys)}</kbd>;
}
