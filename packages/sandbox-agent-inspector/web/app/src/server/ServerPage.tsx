import { navigate, paths, useRoute } from '../shell/navigation.ts';
import { Tabs } from '../ui/index.ts';
import { HealthSection } from './HealthSection.tsx';
import { RequestsSection } from './RequestsSection.tsx';
import styles from './ServerPage.module.css';
import { SettingsSection } from './SettingsSection.tsx';
import { TokensSection } from './TokensSection.tsx';

const SECTIONS = ['health', 'requests', 'tokens', 'settings'] as const;

/** Health of the server, the requests of this page, who may call it, and how the Inspector looks. */
export function ServerPage() {
  const route = useRoute();
  const asked = route.room === 'server' ? route.section : null;
  const selected = SECTIONS.find((section) => section === asked) ?? 'health';
  return (
    <div className={styles.page}>
      <h1 className={styles.heading}>Server</h1>
      <Tabs
        label="Server"
        selected={selected}
        onSelect={(id) => navigate(paths.server(id), { replace: true })}
        className={styles.tabs ?? ''}
        tabs={[
          { id: 'health', label: 'Health', content: <HealthSection /> },
          { id: 'requests', label: 'Requests', content: <RequestsSection /> },
          { id: 'tokens', label: 'Tokens', content: <TokensSection /> },
          { id: 'settings', label: 'Settings', content: <SettingsSection /> },
        ]}
      />
    </div>
  );
}
