/** MCP servers of this session, beside those of its folder. */
import { Plus, X } from 'lucide-react';
import { Button, IconButton, Select, TextField } from '../../ui/index.ts';
import { editDraft } from './choices.ts';
import type { FieldProblems, McpServerDraft, SessionDraft } from './draft.ts';
import styles from './RowsField.module.css';
import { nextKey } from './row-keys.ts';

const KINDS = [
  { id: 'stdio', label: 'Program' },
  { id: 'http', label: 'URL' },
  { id: 'sse', label: 'URL (SSE)' },
] as const;

export function McpField({ draft, problems }: { draft: SessionDraft; problems: FieldProblems }) {
  const { mcpServers } = draft;
  const edit = (index: number, change: Partial<McpServerDraft>) =>
    editDraft({
      mcpServers: mcpServers.map((each, at) => (at === index ? { ...each, ...change } : each)),
    });
  return (
    <fieldset className={styles.rows}>
      <legend>MCP servers</legend>
      <p className={styles.description}>
        For this session, besides those that its folder has in its configuration.
      </p>
      {mcpServers.map((server, index) => {
        const isProgram = server.kind === 'stdio';
        const name = server.name || `MCP server ${index + 1}`;
        return (
          <div key={server.key} className={styles.row}>
            <Select
              label={`${name}: kind`}
              hideLabel
              value={server.kind}
              onChange={(kind) => edit(index, { kind: kind as McpServerDraft['kind'] })}
              options={KINDS}
            />
            <TextField
              className={styles.narrow ?? ''}
              label={`${name}: name`}
              hideLabel
              placeholder="name"
              value={server.name}
              onChange={(value) => edit(index, { name: value })}
              error={problems[`mcpServers.${index}`] ?? null}
              mono
            />
            <TextField
              className={styles.wide ?? ''}
              label={isProgram ? `${name}: command` : `${name}: URL`}
              hideLabel
              placeholder={isProgram ? 'npx -y @example/server' : 'https://example.com/mcp'}
              value={server.target}
              onChange={(target) => edit(index, { target })}
              mono
            />
            <IconButton
              label={`Remove ${name}`}
              onPress={() =>
                editDraft({ mcpServers: mcpServers.filter((each) => each !== server) })
              }
            >
              <X size={16} />
            </IconButton>
            <TextField
              className={styles.whole ?? ''}
              label={isProgram ? `${name}: environment` : `${name}: headers`}
              hideLabel
              placeholder={
                isProgram ? 'NAME=value, one on each line' : 'Header: value, one on each line'
              }
              value={server.extra}
              onChange={(extra) => edit(index, { extra })}
              rows={1}
              mono
            />
          </div>
        );
      })}
      {problems.mcpServers ? (
        <p className={styles.problem} role="alert">
          {problems.mcpServers}
        </p>
      ) : null}
      <Button
        size="small"
        look="quiet"
        icon={<Plus size={14} aria-hidden />}
        onPress={() =>
          editDraft({
            mcpServers: [
              ...mcpServers,
              { key: nextKey(), kind: 'stdio', name: '', target: '', extra: '' },
            ],
          })
        }
      >
        Add an MCP server
      </Button>
    </fieldset>
  );
}
