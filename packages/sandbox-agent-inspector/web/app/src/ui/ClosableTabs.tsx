import { X } from 'lucide-react';
import {
  createContext,
  type KeyboardEvent,
  type ReactNode,
  useContext,
  useEffect,
  useRef,
} from 'react';
import styles from './ClosableTabs.module.css';

interface Selection {
  selected: string;
  onSelect(id: string): void;
  onClose(id: string): void;
}

interface ClosableTabsProps extends Selection {
  label: string;
  /** In the order of the children. */
  ids: readonly string[];
  children: ReactNode;
}

const TabsContext = createContext<Selection | null>(null);

/** Tabs of things that are open, of which Delete closes one, as does the middle button. One stop for the keyboard. */
export function ClosableTabs({ label, ids, children, ...selection }: ClosableTabsProps) {
  const { selected, onSelect, onClose } = selection;
  const list = useRef<HTMLDivElement>(null);
  const tookFocus = useRef(false);
  useEffect(() => {
    if (!ids.includes(selected)) return;
    const tab = list.current?.querySelector<HTMLElement>('[aria-selected="true"]');
    tab?.parentElement?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    const { activeElement } = document;
    const isFree = activeElement === document.body || list.current?.contains(activeElement);
    if (tookFocus.current && isFree) tab?.focus();
    tookFocus.current = false;
  }, [selected, ids]);

  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step !== undefined) {
      const next = ids[(ids.indexOf(selected) + step + ids.length) % ids.length];
      if (next !== undefined) onSelect(next);
    } else if (event.key === 'Delete') onClose(selected);
    else return;
    tookFocus.current = true;
    event.preventDefault();
  };
  return (
    <TabsContext value={selection}>
      <div
        ref={list}
        role="tablist"
        aria-label={label}
        className={styles.list}
        onKeyDown={onKeyDown}
      >
        {children}
      </div>
    </TabsContext>
  );
}

interface ClosableTabProps {
  id: string;
  /** For those who do not see it; else what it shows is its name. */
  name?: string;
  title: string;
  /** It is shown, too, beside the selected one. */
  isBeside?: boolean;
  children: ReactNode;
}

export function ClosableTab({ id, name, title, isBeside = false, children }: ClosableTabProps) {
  const tabs = useContext(TabsContext);
  const isSelected = tabs?.selected === id;
  return (
    <div
      role="presentation"
      className={styles.tab}
      data-selected={isSelected || undefined}
      data-beside={isBeside || undefined}
    >
      <button
        type="button"
        role="tab"
        aria-selected={isSelected}
        aria-label={name}
        aria-keyshortcuts="Delete"
        tabIndex={isSelected ? 0 : -1}
        className={styles.name}
        title={title}
        onClick={() => tabs?.onSelect(id)}
        onAuxClick={(event) => event.button === 1 && tabs?.onClose(id)}
      >
        {children}
      </button>
      <span aria-hidden title="Close" className={styles.close} onClick={() => tabs?.onClose(id)}>
        <X />
      </span>
    </div>
  );
}
