import { useState } from 'react';
import { type Density, type Theme, usePreferences } from '../shell/preferences.ts';
import { Select, Switch, TextField } from '../ui/index.ts';
import styles from './ServerPage.module.css';

const THEMES = [
  { id: 'system', label: 'As the system' },
  { id: 'dark', label: 'Dark' },
  { id: 'light', label: 'Light' },
];
const DENSITIES = [
  { id: 'comfortable', label: 'Comfortable' },
  { id: 'compact', label: 'Compact' },
];

/** How the Inspector looks and behaves in this browser. */
export function SettingsSection() {
  const { theme, density, alwaysFollow, singleKeys, actor, set } = usePreferences();
  return (
    <div className={`${styles.section} ${styles.settings}`}>
      <p className={styles.muted}>Kept in this browser, for all servers.</p>
      <Select
        label="Theme"
        value={theme}
        onChange={(id) => set({ theme: id as Theme })}
        options={THEMES}
      />
      <Select
        label="Density"
        value={density}
        onChange={(id) => set({ density: id as Density })}
        options={DENSITIES}
      />
      <TextField
        label="Your name"
        description="Shown to others beside what you answer, unless your token has a name"
        value={actor}
        onChange={(name) => set({ actor: name })}
        maxLength={256}
      />
      <Switch
        isSelected={alwaysFollow}
        onChange={(value) => set({ alwaysFollow: value })}
        description="Otherwise the beginning of a long answer stays in view"
      >
        Always follow what arrives
      </Switch>
      <Switch
        isSelected={singleKeys}
        onChange={(value) => set({ singleKeys: value })}
        description="n, j, k, g i, / and others; those with Ctrl or Alt always work"
      >
        Keys of one letter
      </Switch>
      <Notifications />
    </div>
  );
}

/** The browser asks once; what it was told there wins over what is set here. */
function Notifications() {
  const { notifications, set } = usePreferences();
  const [permission, setPermission] = useState(() =>
    typeof Notification === 'undefined' ? 'unsupported' : Notification.permission,
  );
  const change = async (wanted: boolean) => {
    if (wanted && permission === 'default') {
      const answered = await Notification.requestPermission();
      setPermission(answered);
      if (answered !== 'granted') return;
    }
    set({ notifications: wanted });
  };
  const isBlocked = permission === 'denied' || permission === 'unsupported';
  return (
    <Switch
      isSelected={notifications && !isBlocked}
      isDisabled={isBlocked}
      onChange={(wanted) => void change(wanted)}
      description={
        isBlocked
          ? 'This browser does not allow it for this page'
          : 'When an agent waits for you and the page is not in front'
      }
    >
      Notifications of the system
    </Switch>
  );
}
