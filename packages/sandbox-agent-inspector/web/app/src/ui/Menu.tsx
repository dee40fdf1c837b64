import type { Key, ReactElement, ReactNode } from 'react';
import {
  Menu as AriaMenu,
  MenuItem as AriaMenuItem,
  Header,
  MenuSection,
  MenuTrigger,
  Popover,
  Separator,
  Text,
} from 'react-aria-components';
import { Kbd } from './Kbd.tsx';
import styles from './Menu.module.css';

export interface MenuEntry {
  id: string;
  label: string;
  description?: string;
  icon?: ReactNode;
  shortcut?: string;
  danger?: boolean;
  disabled?: boolean;
}

export interface MenuGroup {
  id: string;
  title?: string;
  entries: readonly MenuEntry[];
}

interface MenuProps {
  /** What opens it. */
  trigger: ReactElement;
  label: string;
  entries?: readonly MenuEntry[];
  groups?: readonly MenuGroup[];
  onAction?: (id: string) => void;
  /** With it the menu is a choice of one, and stays marked. */
  selected?: string | null;
  onSelect?: (id: string) => void;
  placement?: 'bottom start' | 'bottom end' | 'top start' | 'top end';
  isOpen?: boolean;
  onOpenChange?: (isOpen: boolean) => void;
}

export function Menu({
  trigger,
  label,
  entries,
  groups,
  onAction,
  selected,
  onSelect,
  placement = 'bottom start',
  isOpen,
  onOpenChange,
}: MenuProps) {
  const isChoice = selected !== undefined;
  const all = groups ?? [{ id: 'all', entries: entries ?? [] }];
  return (
    <MenuTrigger isOpen={isOpen} onOpenChange={onOpenChange}>
      {trigger}
      <Popover className={styles.popover} placement={placement} offset={4}>
        <AriaMenu
          aria-label={label}
          className={styles.menu}
          selectionMode={isChoice ? 'single' : 'none'}
          selectedKeys={selected ? [selected] : []}
          disallowEmptySelection={isChoice}
          onSelectionChange={(keys) => {
            const [key] = keys === 'all' ? [] : [...keys];
            if (key !== undefined) onSelect?.(String(key));
          }}
          onAction={(key: Key) => onAction?.(String(key))}
        >
          {all.map((group, index) => (
            <MenuSection
              key={group.id}
              className={styles.section}
              aria-label={group.title ?? label}
            >
              {index > 0 && <Separator className={styles.separator} />}
              {group.title && <Header className={styles.header}>{group.title}</Header>}
              {group.entries.map((entry) => (
                <AriaMenuItem
                  key={entry.id}
                  id={entry.id}
                  textValue={entry.label}
                  isDisabled={entry.disabled}
                  className={styles.item}
                  data-danger={entry.danger || undefined}
                >
                  <span className={styles.icon}>{entry.icon}</span>
                  <span className={styles.words}>
                    <Text slot="label">{entry.label}</Text>
                    {entry.description && (
                      <Text slot="description" className={styles.description}>
                        {entry.description}
                      </Text>
                    )}
                  </span>
                  {entry.shortcut && <Kbd keys={entry.shortcut} />}
                </AriaMenuItem>
              ))}
            </MenuSection>
          ))}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  );
}
