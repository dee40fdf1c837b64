import { ChevronDown } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { PatchSession, SessionInfo } from 'sandbox-agent-client';
import { foreign, shortened, useClient, useSessionInfo } from 'sandbox-agent-react';
import { notify } from '../shell/notify.tsx';
import { Button, Menu, type MenuGroup } from '../ui/index.ts';
import styles from './Composer.module.css';
import { modeName, PERMISSION_MODES } from './modes.ts';

interface Setting {
  id: 'model' | 'thoughtLevel' | 'mode';
  label: string;
  value: string | null;
  shown: string;
  groups: MenuGroup[];
}

/** What the agent of a session can be set to: model, thought level, mode. As it reports them. */
export function SessionSettings({ sessionId }: { sessionId: string }) {
  const client = useClient();
  const info = useSessionInfo(sessionId);
  const permissionModes = usePermissionModes(info?.agent ?? null);
  const [busy, setBusy] = useState<string | null>(null);
  if (!info || info.status === 'ended' || info.status === 'damaged') return null;

  const set = async (setting: Setting, value: string) => {
    const patch: PatchSession = { [setting.id]: value };
    setBusy(setting.id);
    try {
      await client.sessions.patch(sessionId, patch);
    } catch (error) {
      notify({
        title: `The ${setting.label.toLowerCase()} was not changed`,
        detail: error instanceof Error ? error.message : String(error),
        tone: 'error',
      });
    } finally {
      setBusy(null);
    }
  };

  return (
    <div className={styles.settings}>
      {settingsOf(info, permissionModes).map((setting) => (
        <Menu
          key={setting.id}
          label={setting.label}
          placement="top start"
          groups={setting.groups}
          selected={setting.value}
          onSelect={(value) => void set(setting, value)}
          trigger={
            <Button
              look="quiet"
              size="small"
              className={styles.setting}
              aria-label={`${setting.label}: ${setting.shown}`}
              isDisabled={busy === setting.id}
            >
              {setting.shown}
              <ChevronDown aria-hidden />
            </Button>
          }
        />
      ))}
    </div>
  );
}

function settingsOf(info: SessionInfo, permissionModes: readonly string[]): Setting[] {
  const settings: Setting[] = [];
  const add = (
    id: Setting['id'],
    label: string,
    value: string | null | undefined,
    choices: SessionInfo['models'],
  ) => {
    if (!choices || choices.length < 2) return;
    const current = choices.find((choice) => choice.id === value);
    settings.push({
      id,
      label,
      value: value ?? null,
      shown: shortened(foreign(current?.name ?? value ?? label), 24),
      groups: [{ id, title: label, entries: choices.map(entryOf) }],
    });
  };
  add('model', 'Model', info.model, info.models);
  add('thoughtLevel', 'Thought level', info.thoughtLevel, info.thoughtLevels);
  const own = info.modes ?? [];
  if (own.length > 0 || permissionModes.length > 0) {
    settings.push({
      id: 'mode',
      label: 'Mode',
      value: info.permissionMode ?? info.mode ?? null,
      shown: shortened(foreign(modeName(info) ?? 'Mode'), 24),
      groups: modeGroups(info, permissionModes),
    });
  }
  return settings;
}

function modeGroups(info: SessionInfo, permissionModes: readonly string[]): MenuGroup[] {
  const groups: MenuGroup[] = [];
  if (permissionModes.length > 0) {
    groups.push({
      id: 'permissions',
      title: 'Who decides',
      entries: permissionModes.map((id) => ({
        id,
        label: PERMISSION_MODES[id]?.name ?? id,
        description: PERMISSION_MODES[id]?.description,
      })),
    });
  }
  const own = (info.modes ?? []).filter((mode) => !permissionModes.includes(mode.id));
  if (own.length > 0) {
    groups.push({
      id: 'own',
      title: `Modes of ${foreign(info.agent)}`,
      entries: own.map(entryOf),
    });
  }
  return groups;
}

function entryOf(choice: { id: string; name: string; description?: string }) {
  return {
    id: choice.id,
    label: foreign(choice.name || choice.id),
    ...(choice.description && { description: foreign(choice.description) }),
  };
}

const known = new WeakMap<object, Map<string, Promise<readonly string[]>>>();

/** Modes that every agent has, as the server says of this one; read once. */
function usePermissionModes(agent: string | null): readonly string[] {
  const client = useClient();
  const [modes, setModes] = useState<readonly string[]>([]);
  useEffect(() => {
    if (!agent) return;
    const read = known.get(client) ?? new Map<string, Promise<readonly string[]>>();
    known.set(client, read);
    let found = read.get(agent);
    if (!found) {
      found = client.agents.get(agent).then((one) => one.permissionModes ?? []);
      read.set(agent, found);
      found.catch(() => read.delete(agent));
    }
    let isHere = true;
    found.then(
      (names) => isHere && setModes(names),
      () => undefined,
    );
    return () => {
      isHere = false;
    };
  }, [client, agent]);
  return modes;
}
