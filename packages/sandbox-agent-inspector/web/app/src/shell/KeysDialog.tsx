/** `?`: the keys that work here now. */
import { Dialog, Kbd, Switch } from '../ui/index.ts';
import type { Command } from './commands.ts';
import styles from './KeysDialog.module.css';
import { isSingle, shownKeys } from './keys.ts';
import { overlays } from './overlays.ts';
import { usePreferences } from './preferences.ts';
import { useCommands } from './shortcuts.ts';

/** Each group with its commands, every one once, in the order in which rooms came. */
export function keysByGroup(commands: readonly Command[]): readonly [string, readonly Command[]][] {
  const groups = new Map<string, Map<string, Command>>();
  for (const command of commands.filter((each) => each.keys.length > 0)) {
    const group = groups.get(command.group) ?? new Map<string, Command>();
    group.set(command.label, command);
    groups.set(command.group, group);
  }
  return [...groups].map(([name, group]) => [name, [...group.values()]] as const);
}

export function KeysDialog() {
  const isOpen = overlays((state) => state.keys);
  return (
    <Dialog
      title="Keyboard shortcuts"
      size="large"
      isOpen={isOpen}
      onOpenChange={(keys) => overlays.setState({ keys })}
    >
      <Content />
    </Dialog>
  );
}

function Content() {
  const groups = keysByGroup(useCommands());
  const { singleKeys, set } = usePreferences();
  return (
    <div className={styles.content}>
      <Switch
        isSelected={singleKeys}
        onChange={(value) => set({ singleKeys: value })}
        description="They never work while you write in a field."
      >
        Single-letter keys
      </Switch>
      <div className={styles.groups}>
        {groups.map(([name, commands]) => (
          <section key={name} className={styles.group}>
            <h3>{name}</h3>
            <dl>
              {commands.map((command) => (
                <div
                  key={command.label}
                  className={styles.row}
                  data-off={(!singleKeys && command.keys.every(isSingle)) || undefined}
                >
                  <dt>{command.label}</dt>
                  <dd>
                    {command.keys.map((keys) => (
                      <Kbd key={keys} keys={shownKeys(keys)} />
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </div>
  );
}
