import { Blocks, Ellipsis, Plug, Plus, Sparkles } from 'lucide-react';
import { useCallback, useEffect, useState } from 'react';
import type { McpServerConfig, SkillsConfig } from 'sandbox-agent-client';
import { useClient, useSessions } from 'sandbox-agent-react';
import { navigate, paths } from '../shell/navigation.ts';
import { notify } from '../shell/notify.tsx';
import {
  Badge,
  Banner,
  Button,
  ConfirmDialog,
  EmptyState,
  Foreign,
  IconButton,
  Menu,
  Skeleton,
} from '../ui/index.ts';
import styles from './ConfigPage.module.css';
import { DirectoryField } from './DirectoryField.tsx';
import { McpDialog } from './McpDialog.tsx';
import { SkillDialog } from './SkillDialog.tsx';

interface Configured {
  servers: Readonly<Record<string, McpServerConfig>>;
  skills: Readonly<Record<string, SkillsConfig>>;
}

type Editing =
  | { what: 'mcp'; name: string | null; config: McpServerConfig | null }
  | { what: 'skills'; name: string | null; config: SkillsConfig | null };

const KEY = 'sandbox-agent:config-directory';

function remembered(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** MCP servers and skills of a directory: what sessions that begin there are given. */
export function ConfigPage() {
  const client = useClient();
  const sessions = useSessions();
  const [chosen, setChosen] = useState<string | null>(remembered);
  const directory = chosen ?? sessions.find((one) => one.cwd)?.cwd ?? '.';
  const [configured, setConfigured] = useState<Configured | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [editing, setEditing] = useState<Editing | null>(null);
  const [removing, setRemoving] = useState<{ what: 'mcp' | 'skills'; name: string } | null>(null);

  const load = useCallback(async () => {
    try {
      const [mcp, skills] = await Promise.all([
        client.config.mcp.list(directory),
        client.config.skills.list(directory),
      ]);
      setConfigured({ servers: mcp.servers, skills: skills.skills });
      setProblem(null);
    } catch (error) {
      setConfigured(null);
      setProblem(error instanceof Error ? error.message : String(error));
    }
  }, [client, directory]);
  useEffect(() => {
    setConfigured(null);
    void load();
  }, [load]);

  const choose = (path: string) => {
    try {
      sessionStorage.setItem(KEY, path);
    } catch {
      // It holds until the page is left.
    }
    setChosen(path);
  };

  const attempt = async (words: string, work: () => Promise<void>) => {
    try {
      await work();
      await load();
    } catch (error) {
      notify({
        title: words,
        detail: error instanceof Error ? error.message : String(error),
        tone: 'error',
      });
    }
  };

  const servers = Object.entries(configured?.servers ?? {});
  const skills = Object.entries(configured?.skills ?? {});
  const given = sessions.filter(
    (one) =>
      (one.cwd === directory || one.cwd?.startsWith(`${directory}/`)) &&
      ((one.mcpServers?.length ?? 0) > 0 ||
        (one.skills?.length ?? 0) > 0 ||
        (one.warnings?.length ?? 0) > 0),
  );

  return (
    <div className={styles.page}>
      <header className={styles.header}>
        <h1 className={styles.title}>MCP servers and skills</h1>
        <p className={styles.lead}>
          Every session that begins in a directory, or in one below it, is given what is configured
          here, whichever agent it runs. Those that run get it when their agent starts again.
        </p>
        <DirectoryField directory={directory} onChoose={choose} />
      </header>
      {problem !== null && (
        <Banner
          tone="err"
          title="This directory cannot be read"
          actions={
            <Button size="small" onPress={() => void load()}>
              Try again
            </Button>
          }
        >
          {problem}
        </Banner>
      )}
      {problem === null && (
        <>
          <section className={styles.section} aria-labelledby="config-mcp">
            <div className={styles.heading}>
              <h2 id="config-mcp">MCP servers</h2>
              <Button
                size="small"
                icon={<Plus aria-hidden />}
                isDisabled={configured === null}
                onPress={() => setEditing({ what: 'mcp', name: null, config: null })}
              >
                Add a server
              </Button>
            </div>
            {configured === null ? (
              <Skeleton lines={[50, 62]} />
            ) : servers.length === 0 ? (
              <EmptyState icon={<Blocks />} title="No MCP servers here">
                <p>A server gives agents tools: an issue tracker, a database, a browser.</p>
              </EmptyState>
            ) : (
              <ul className={styles.list}>
                {servers.map(([name, config]) => (
                  <li
                    key={name}
                    className={styles.card}
                    data-off={config.enabled === false || undefined}
                  >
                    <Plug aria-hidden className={styles.icon} />
                    <div className={styles.words}>
                      <span className={styles.name}>
                        <Foreign text={name} maxChars={80} />
                        <Badge>
                          {config.type === 'remote' ? (config.transport ?? 'http') : 'program'}
                        </Badge>
                        {config.enabled === false && <Badge>switched off</Badge>}
                      </span>
                      <span className={styles.detail}>
                        <Foreign text={summaryOf(config)} maxChars={160} />
                      </span>
                    </div>
                    <RowMenu
                      name={name}
                      entries={[
                        { id: 'edit', label: 'Edit…' },
                        {
                          id: 'toggle',
                          label: config.enabled === false ? 'Switch on' : 'Switch off',
                        },
                        { id: 'remove', label: 'Remove…', danger: true },
                      ]}
                      onAction={(id) => {
                        if (id === 'edit') setEditing({ what: 'mcp', name, config });
                        else if (id === 'remove') setRemoving({ what: 'mcp', name });
                        else
                          void attempt('It could not be changed', () =>
                            client.config.mcp.put(directory, name, {
                              ...config,
                              enabled: config.enabled === false,
                            }),
                          );
                      }}
                    />
                  </li>
                ))}
              </ul>
            )}
          </section>
          <section className={styles.section} aria-labelledby="config-skills">
            <div className={styles.heading}>
              <h2 id="config-skills">Skills</h2>
              <Button
                size="small"
                icon={<Plus aria-hidden />}
                isDisabled={configured === null}
                onPress={() => setEditing({ what: 'skills', name: null, config: null })}
              >
                Add skills
              </Button>
            </div>
            {configured === null ? (
              <Skeleton lines={[44]} />
            ) : skills.length === 0 ? (
              <EmptyState icon={<Sparkles />} title="No skills here">
                <p>
                  A skill is a folder with a SKILL.md that tells an agent how something is done.
                </p>
              </EmptyState>
            ) : (
              <ul className={styles.list}>
                {skills.map(([name, config]) => (
                  <li key={name} className={styles.card}>
                    <Sparkles aria-hidden className={styles.icon} />
                    <div className={styles.words}>
                      <span className={styles.name}>
                        <Foreign text={name} maxChars={80} />
                      </span>
                      {config.sources.map((source) => (
                        <span key={JSON.stringify(source)} className={styles.detail}>
                          <Foreign
                            text={`${source.source}${source.ref ? ` @ ${source.ref}` : ''}`}
                            maxChars={160}
                          />
                          {source.skills && ` · ${source.skills.join(', ')}`}
                        </span>
                      ))}
                    </div>
                    <RowMenu
                      name={name}
                      entries={[
                        { id: 'edit', label: 'Edit…' },
                        { id: 'remove', label: 'Remove…', danger: true },
                      ]}
                      onAction={(id) =>
                        id === 'edit'
                          ? setEditing({ what: 'skills', name, config })
                          : setRemoving({ what: 'skills', name })
                      }
                    />
                  </li>
                ))}
              </ul>
            )}
          </section>
          {given.length > 0 && (
            <section className={styles.section} aria-labelledby="config-given">
              <h2 id="config-given">What sessions here were given</h2>
              <ul className={styles.list}>
                {given.slice(0, 12).map((one) => (
                  <li key={one.id} className={styles.given}>
                    <button
                      type="button"
                      className={styles.session}
                      onClick={() => navigate(paths.session(one.id))}
                    >
                      <Foreign text={one.title || one.id} maxChars={80} />
                    </button>
                    <span className={styles.detail}>
                      {[...(one.mcpServers ?? []), ...(one.skills ?? [])].join(', ') || 'nothing'}
                    </span>
                    {one.warnings?.map((warning) => (
                      <span key={warning} className={styles.warning}>
                        <Foreign text={warning} maxChars={300} />
                      </span>
                    ))}
                  </li>
                ))}
              </ul>
            </section>
          )}
          <p className={styles.note}>
            Whoever can write in the directory can write these files, an agent, too. So only what
            came through this server counts; what was changed in another way counts in sessions that
            trust their workspace. Values may name variables (<code>&#36;&#123;NAME&#125;</code>):
            then no key is in a file.
          </p>
        </>
      )}
      <McpDialog
        editing={editing?.what === 'mcp' ? editing : null}
        taken={Object.keys(configured?.servers ?? {})}
        onClose={() => setEditing(null)}
        onSave={async (name, config) => {
          await client.config.mcp.put(directory, name, config);
          await load();
        }}
      />
      <SkillDialog
        editing={editing?.what === 'skills' ? editing : null}
        taken={Object.keys(configured?.skills ?? {})}
        onClose={() => setEditing(null)}
        onSave={async (name, config) => {
          await client.config.skills.put(directory, name, config);
          await load();
        }}
      />
      <ConfirmDialog
        title={removing?.what === 'skills' ? 'Remove these skills?' : 'Remove this server?'}
        action="Remove"
        danger
        isOpen={removing !== null}
        onOpenChange={(isOpen) => !isOpen && setRemoving(null)}
        onConfirm={() => {
          if (!removing) return;
          const { what, name } = removing;
          const before =
            what === 'mcp' ? configured?.servers[name] : (configured?.skills[name] ?? undefined);
          void attempt('It could not be removed', async () => {
            if (what === 'mcp') await client.config.mcp.remove(directory, name);
            else await client.config.skills.remove(directory, name);
            notify({
              title: `Removed ${name.slice(0, 60)}`,
              ...(before && {
                action: {
                  label: 'Undo',
                  run: () => {
                    void attempt('It could not be put back', async () => {
                      if (what === 'mcp')
                        await client.config.mcp.put(directory, name, before as McpServerConfig);
                      else await client.config.skills.put(directory, name, before as SkillsConfig);
                    });
                  },
                },
              }),
            });
          });
        }}
      >
        <p>
          Sessions that begin in this directory no longer get{' '}
          <Foreign text={removing?.name ?? ''} maxChars={80} />. Those that run keep it.
        </p>
      </ConfirmDialog>
    </div>
  );
}

/** Never the values of its environment and headers. */
function summaryOf(config: McpServerConfig): string {
  if (config.type === 'remote') return config.url;
  return [config.command, ...(config.args ?? [])].join(' ');
}

interface RowMenuProps {
  name: string;
  entries: { id: string; label: string; danger?: boolean }[];
  onAction: (id: string) => void;
}

function RowMenu({ name, entries, onAction }: RowMenuProps) {
  return (
    <Menu
      label={`Actions for ${name}`}
      placement="bottom end"
      entries={entries}
      onAction={onAction}
      trigger={
        <IconButton label={`Actions for ${name.slice(0, 60)}`}>
          <Ellipsis />
        </IconButton>
      }
    />
  );
}
