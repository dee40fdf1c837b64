import type { ReactNode } from 'react';
import { Tabs as AriaTabs, Tab, TabList, TabPanel } from 'react-aria-components';
import styles from './Tabs.module.css';

export interface TabEntry {
  id: string;
  label: ReactNode;
  /** How many there are of what it shows. */
  count?: number;
  content: ReactNode;
}

interface TabsProps {
  label: string;
  tabs: readonly TabEntry[];
  selected: string;
  onSelect: (id: string) => void;
  /** At the end of the row of tabs. */
  actions?: ReactNode;
  className?: string;
}

/** Only the selected panel is mounted. */
export function Tabs({ label, tabs, selected, onSelect, actions, className = '' }: TabsProps) {
  return (
    <AriaTabs
      className={`${styles.tabs} ${className}`}
      selectedKey={selected}
      onSelectionChange={(key) => onSelect(String(key))}
    >
      <div className={styles.bar}>
        <TabList aria-label={label} className={styles.list}>
          {tabs.map((tab) => (
            <Tab key={tab.id} id={tab.id} className={styles.tab}>
              {tab.label}
              {tab.count !== undefined && tab.count > 0 && (
                <span className={styles.count}>{tab.count}</span>
              )}
            </Tab>
          ))}
        </TabList>
        {actions}
      </div>
      {tabs.map((tab) => (
        <TabPanel key={tab.id} id={tab.id} className={styles.panel}>
          {tab.content}
        </TabPanel>
      ))}
    </AriaTabs>
  );
}
