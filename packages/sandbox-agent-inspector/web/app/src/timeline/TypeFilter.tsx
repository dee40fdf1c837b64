import { ListFilter } from 'lucide-react';
import { Checkbox, Dialog, DialogTrigger, Popover } from 'react-aria-components';
import { type TypeGroup, toggled } from 'sandbox-agent-react';
import { Button } from '../ui/index.ts';
import styles from './TypeFilter.module.css';

interface TypeFilterProps {
  groups: readonly TypeGroup[];
  hidden: ReadonlySet<string>;
  onChange: (hidden: ReadonlySet<string>) => void;
}

/** Which types of events are shown, with how many there are of each. */
export function TypeFilter({ groups, hidden, onChange }: TypeFilterProps) {
  const all = groups.flatMap((group) => group.types.map((one) => one.type));
  const left = all.filter((type) => !hidden.has(type)).length;
  return (
    <DialogTrigger>
      <Button size="small" icon={<ListFilter />}>
        {left === all.length ? 'All types' : `${left} of ${all.length} types`}
      </Button>
      <Popover className={styles.popover} placement="bottom start" offset={4}>
        <Dialog aria-label="Types of events" className={styles.dialog}>
          <div className={styles.actions}>
            <Button size="small" look="quiet" onPress={() => onChange(new Set())}>
              All
            </Button>
            <Button size="small" look="quiet" onPress={() => onChange(new Set(all))}>
              None
            </Button>
          </div>
          {groups.map((group) => (
            <Group key={group.family} group={group} hidden={hidden} onChange={onChange} />
          ))}
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}

function Group({
  group,
  hidden,
  onChange,
}: { group: TypeGroup } & Omit<TypeFilterProps, 'groups'>) {
  const types = group.types.map((one) => one.type);
  const shown = types.filter((type) => !hidden.has(type)).length;
  const isSingle = types.length === 1;
  return (
    <div className={styles.group}>
      <Choice
        label={isSingle ? (types[0] ?? group.family) : `${group.family}.*`}
        count={group.count}
        isSelected={shown === types.length}
        isPartly={shown > 0 && shown < types.length}
        onChange={(show) => onChange(toggled(hidden, types, show))}
      />
      {!isSingle && (
        <div className={styles.inner}>
          {group.types.map(({ type, count }) => (
            <Choice
              key={type}
              label={type}
              count={count}
              isSelected={!hidden.has(type)}
              onChange={(show) => onChange(toggled(hidden, [type], show))}
            />
          ))}
        </div>
      )}
    </div>
  );
}

interface ChoiceProps {
  label: string;
  count: number;
  isSelected: boolean;
  isPartly?: boolean;
  onChange: (isSelected: boolean) => void;
}

function Choice({ label, count, isSelected, isPartly = false, onChange }: ChoiceProps) {
  return (
    <Checkbox
      className={styles.choice}
      isSelected={isSelected}
      isIndeterminate={isPartly}
      onChange={onChange}
    >
      <span className={styles.box} aria-hidden>
        {isPartly ? '–' : isSelected ? '✓' : ''}
      </span>
      <span className={styles.label}>{label}</span>
      <span className={styles.count}>{count.toLocaleString('en')}</span>
    </Checkbox>
  );
}
