import { Download } from 'lucide-react';
import type { Ref } from 'react';
import { Switch, ToggleButton, ToggleButtonGroup } from 'react-aria-components';
import type { TimelineFilter, TypeGroup } from 'sandbox-agent-react';
import { IconButton, Kbd, SearchField } from '../ui/index.ts';
import styles from './Toolbar.module.css';
import { TypeFilter } from './TypeFilter.tsx';

export type LogView = 'universal' | 'frames';

interface ToolbarProps {
  filter: TimelineFilter;
  onFilter: (filter: TimelineFilter) => void;
  groups: readonly TypeGroup[];
  view: LogView;
  onView: (view: LogView) => void;
  deltas: boolean;
  onDeltas: (deltas: boolean) => void;
  searchRef: Ref<HTMLInputElement>;
  onExport: () => void;
}

export function Toolbar(props: ToolbarProps) {
  const { filter, onFilter } = props;
  return (
    <div className={styles.toolbar} role="toolbar" aria-label="What of the log is shown">
      <SearchField
        label="Filter events"
        placeholder="Filter"
        className={styles.search}
        value={filter.text}
        onChange={(text) => onFilter({ ...filter, text })}
        inputRef={props.searchRef}
        shortcut={<Kbd keys="/" />}
      />
      <TypeFilter
        groups={props.groups}
        hidden={filter.hidden}
        onChange={(hidden) => onFilter({ ...filter, hidden })}
      />
      <ToggleButtonGroup
        aria-label="View of the log"
        className={styles.views}
        selectionMode="single"
        disallowEmptySelection
        selectedKeys={[props.view]}
        onSelectionChange={(keys) => {
          for (const key of keys) props.onView(key === 'frames' ? 'frames' : 'universal');
        }}
      >
        <ToggleButton id="universal" className={styles.view}>
          Events
        </ToggleButton>
        <ToggleButton id="frames" className={styles.view}>
          Frames
        </ToggleButton>
      </ToggleButtonGroup>
      <Switch
        className={styles.deltas}
        isSelected={props.deltas}
        isDisabled={props.view === 'frames'}
        onChange={props.onDeltas}
      >
        <span className={styles.box} aria-hidden />
        deltas
      </Switch>
      <IconButton label="Export…" onPress={props.onExport}>
        <Download />
      </IconButton>
    </div>
  );
}
