/** `Ctrl K`: sessions, and all that can be done, by name. */
import { Search } from 'lucide-react';
import { useMemo, useState } from 'react';
import {
  Autocomplete,
  Collection,
  Dialog,
  Header,
  Input,
  Menu,
  MenuItem,
  MenuSection,
  Modal,
  ModalOverlay,
  TextField,
} from 'react-aria-components';
import { foreign, useSessions } from 'sandbox-agent-react';
import { ageOf, titleOf } from '../sessions/naming.ts';
import { StatusGlyph } from '../sessions/StatusGlyph.tsx';
import { Kbd } from '../ui/index.ts';
import { shownKeys } from './keys.ts';
import { navigate, paths } from './navigation.ts';
import { overlays } from './overlays.ts';
import styles from './Palette.module.css';
import { rank, ranked } from './ranking.ts';
import { useCommands } from './shortcuts.ts';

const MOST_SESSIONS = 8;
const MOST_COMMANDS = 60;

export function Palette() {
  const isOpen = overlays((state) => state.palette);
  return (
    <ModalOverlay
      className={styles.overlay}
      isOpen={isOpen}
      onOpenChange={(palette) => overlays.setState({ palette })}
      isDismissable
    >
      <Modal className={styles.modal}>
        <Dialog className={styles.dialog} aria-label="Command palette">
          <Content />
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function close(): void {
  overlays.setState({ palette: false });
}

interface Entry {
  id: string;
  label: string;
  detail?: string;
  keys?: string;
  icon?: React.ReactNode;
  run(): unknown;
}

interface Section {
  id: string;
  title: string;
  entries: readonly Entry[];
}

function useEntries(typed: string): readonly Section[] {
  const sessions = useSessions();
  const commands = useCommands();
  return useMemo(() => {
    const now = Date.now();
    const latest = sessions.toSorted((a, b) => b.updatedAt.localeCompare(a.updatedAt));
    const found = ranked(
      latest,
      typed,
      (session) => `${titleOf(session)} ${session.agent} ${session.id}`,
      typed === '' ? 5 : MOST_SESSIONS,
    );
    const sections: Section[] = [];
    if (found.length > 0) {
      sections.push({
        id: 'sessions',
        title: 'Sessions',
        entries: found.map((session) => ({
          id: `session ${session.id}`,
          label: foreign(titleOf(session)),
          detail: `${session.agent} · ${ageOf(session.updatedAt, now)}`,
          icon: <StatusGlyph status={session.status} />,
          run: () => navigate(paths.session(session.id)),
        })),
      });
    }
    // A command that several places offer stands there once: the one that was added last.
    const unique = new Map(
      commands.filter((each) => each.offered).map((each) => [each.id, each] as const),
    );
    const groups = new Map<string, Entry[]>();
    const fitting = ranked(
      [...unique.values()],
      typed,
      (each) => `${each.label} ${each.group} ${each.keywords ?? ''}`,
      MOST_COMMANDS,
    );
    for (const command of fitting) {
      const entries = groups.get(command.group) ?? [];
      const [keys] = command.keys;
      entries.push({
        id: `command ${command.id}`,
        label: command.label,
        ...(keys ? { keys: shownKeys(keys) } : {}),
        run: command.run,
      });
      groups.set(command.group, entries);
    }
    for (const [group, entries] of groups) {
      sections.push({ id: group, title: group, entries });
    }
    if (typed.trim() === '') {
      return sections;
    }
    // What fits best is on top, whatever it is: Enter takes that.
    const best = (section: Section) => rank(section.entries[0]?.label ?? '', typed) ?? 0;
    return sections.toSorted((a, b) => best(b) - best(a));
  }, [sessions, commands, typed]);
}

function Content() {
  const [typed, setTyped] = useState('');
  const sections = useEntries(typed);
  const byId = new Map(
    sections.flatMap((section) => section.entries).map((each) => [each.id, each]),
  );
  return (
    <Autocomplete inputValue={typed} onInputChange={setTyped}>
      <TextField className={styles.field} aria-label="Find a session or a command" autoFocus>
        <Search size={18} aria-hidden />
        <Input className={styles.input} placeholder="Find a session or a command" />
        <Kbd keys="Esc" />
      </TextField>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by keys */}
      <section className={styles.list} tabIndex={0} aria-label="Results">
        <Menu
          className={styles.items}
          aria-label="Results"
          items={sections}
          onAction={(key) => {
            close();
            // The dialog gives the focus back first; what is opened may want it then.
            const entry = byId.get(String(key));
            setTimeout(() => entry?.run(), 0);
          }}
          renderEmptyState={() => <p className={styles.empty}>Nothing is called that.</p>}
        >
          {(section) => (
            <MenuSection id={section.id} className={styles.section}>
              <Header className={styles.header}>{section.title}</Header>
              <Collection items={section.entries}>
                {(entry) => (
                  <MenuItem id={entry.id} textValue={entry.label} className={styles.item}>
                    {entry.icon ? <span className={styles.icon}>{entry.icon}</span> : null}
                    <span className={styles.label}>
                      <bdi>{entry.label}</bdi>
                    </span>
                    {entry.detail ? <span className={styles.detail}>{entry.detail}</span> : null}
                    {entry.keys ? <Kbd keys={entry.keys} /> : null}
                  </MenuItem>
                )}
              </Collection>
            </MenuSection>
          )}
        </Menu>
      </section>
    </Autocomplete>
  );
}
