import { Eye, EyeOff, Plus, X } from 'lucide-react';
import { useState } from 'react';
import type { McpServerConfig } from 'sandbox-agent-client';
import {
  formOfMcp,
  type McpForm,
  mcpOfForm,
  NEW_MCP,
  type Pair,
  problemsOfMcp,
} from 'sandbox-agent-react';
import { Button, Disclosure, IconButton, Select, Switch, TextField } from '../ui/index.ts';
import styles from './Dialogs.module.css';
import { EntryDialog } from './EntryDialog.tsx';
import {
  type EntryFormProps,
  type EntryProblems,
  type EntrySort,
  useEntryForm,
} from './useEntryForm.ts';

const SERVERS: EntrySort<McpServerConfig, McpForm> = {
  blank: NEW_MCP,
  formOf: formOfMcp,
  configOf: mcpOfForm,
  problemsOf: problemsOfMcp,
  read: withType,
};

/** An MCP server in a form, or as the JSON that is stored. */
export function McpDialog(props: EntryFormProps<McpServerConfig>) {
  const { form, set, problems, dialog } = useEntryForm(SERVERS, props);
  const fields = { form, set, problems };
  return (
    <EntryDialog {...dialog} title={dialog.isNew ? 'Add an MCP server' : 'Edit MCP server'}>
      <Select
        label="Kind"
        value={form.kind}
        onChange={(kind) => set({ kind: kind === 'remote' ? 'remote' : 'local' })}
        options={KINDS}
      />
      {form.kind === 'local' ? <LocalFields {...fields} /> : <RemoteFields {...fields} />}
      <MoreFields {...fields} />
    </EntryDialog>
  );
}

const KINDS = [
  {
    id: 'local',
    label: 'A program',
    description: 'Started in the sandbox; speaks on its standard streams',
  },
  { id: 'remote', label: 'A URL', description: 'A server that runs elsewhere' },
];

const TRANSPORTS = [
  { id: 'http', label: 'Streamable HTTP' },
  { id: 'sse', label: 'Server-sent events (older)' },
];

interface FieldsProps {
  form: McpForm;
  problems: EntryProblems;
  set: (change: Partial<McpForm>) => void;
}

function LocalFields({ form, problems, set }: FieldsProps) {
  return (
    <>
      <TextField
        label="Program"
        value={form.command}
        onChange={(command) => set({ command })}
        error={problems.command}
        placeholder="npx"
        mono
        autoComplete="off"
      />
      <TextField
        label="Arguments"
        value={form.args}
        onChange={(args) => set({ args })}
        error={problems.args}
        placeholder="-y some-mcp-server"
        mono
        autoComplete="off"
      />
      <TextField
        label="Folder"
        value={form.cwd}
        onChange={(cwd) => set({ cwd })}
        placeholder="the session’s"
        mono
        autoComplete="off"
      />
      <Pairs
        title="Environment"
        add="Add a variable"
        pairs={form.env}
        error={problems.env}
        onChange={(env) => set({ env })}
      />
    </>
  );
}

function RemoteFields({ form, problems, set }: FieldsProps) {
  return (
    <>
      <TextField
        label="Address"
        value={form.url}
        onChange={(url) => set({ url })}
        error={problems.url}
        placeholder="https://mcp.example.com/mcp"
        type="url"
        mono
        autoComplete="off"
      />
      <Select
        label="Transport"
        value={form.transport}
        onChange={(transport) => set({ transport: transport === 'sse' ? 'sse' : 'http' })}
        options={TRANSPORTS}
      />
      <TextField
        label="Variable with the bearer token"
        value={form.bearerTokenEnvVar}
        onChange={(bearerTokenEnvVar) => set({ bearerTokenEnvVar })}
        placeholder="TRACKER_TOKEN"
        description="Its value is in the environment of the agent, and in no file."
        mono
        autoComplete="off"
      />
      <Pairs
        title="Headers"
        add="Add a header"
        pairs={form.headers}
        error={problems.headers}
        onChange={(headers) => set({ headers })}
      />
    </>
  );
}

function MoreFields({ form, problems, set }: FieldsProps) {
  const [isOpen, setOpen] = useState(form.timeoutS !== '');
  if (problems.timeoutS !== undefined && !isOpen) setOpen(true);
  return (
    <Disclosure summary="More" isOpen={isOpen} onToggle={setOpen}>
      <div className={styles.inner}>
        <TextField
          label="Timeout of a call, in seconds"
          value={form.timeoutS}
          onChange={(timeoutS) => set({ timeoutS })}
          error={problems.timeoutS}
          placeholder="the agent’s own"
        />
        <Switch
          isSelected={form.isEnabled}
          onChange={(isEnabled) => set({ isEnabled })}
          description="Switched off it is kept, and given to nobody."
        >
          Switched on
        </Switch>
      </div>
    </Disclosure>
  );
}

interface PairsProps {
  title: string;
  add: string;
  pairs: readonly Pair[];
  error: string | undefined;
  onChange: (pairs: readonly Pair[]) => void;
}

/** Names and values; a value is masked until somebody wants to see it. */
function Pairs({ title, add, pairs, error, onChange }: PairsProps) {
  const [seen, setSeen] = useState<ReadonlySet<number>>(new Set());
  const change = (at: number, pair: Partial<Pair>) =>
    onChange(pairs.map((one, index) => (index === at ? { ...one, ...pair } : one)));
  return (
    <fieldset className={styles.pairs}>
      <legend>{title}</legend>
      {pairs.map((pair, index) => {
        const isSeen = seen.has(index) || pair.value.startsWith('${') || pair.value === '';
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a pair has nothing but its place while it is typed
          <div key={index} className={styles.pair}>
            <TextField
              label={`Name ${index + 1}`}
              hideLabel
              value={pair.name}
              onChange={(name) => change(index, { name })}
              placeholder="NAME"
              mono
              autoComplete="off"
              className={styles.pairName}
            />
            <TextField
              label={`Value of ${pair.name || index + 1}`}
              hideLabel
              value={pair.value}
              onChange={(value) => {
                setSeen((before) => new Set(before).add(index));
                change(index, { value });
              }}
              type={isSeen ? 'text' : 'password'}
              placeholder="value, or &#36;&#123;VARIABLE&#125;"
              mono
              autoComplete="off"
              className={styles.pairValue}
            />
            <IconButton
              label={isSeen ? 'Mask the value' : 'Show the value'}
              onPress={() =>
                setSeen((before) => {
                  const next = new Set(before);
                  if (!next.delete(index)) next.add(index);
                  return next;
                })
              }
            >
              {isSeen ? <EyeOff /> : <Eye />}
            </IconButton>
            <IconButton
              label={`Remove ${pair.name || `number ${index + 1}`}`}
              onPress={() => {
                setSeen(new Set());
                onChange(pairs.filter((_one, at) => at !== index));
              }}
            >
              <X />
            </IconButton>
          </div>
        );
      })}
      {error && (
        <p role="alert" className={styles.error}>
          {error}
        </p>
      )}
      <Button
        size="small"
        look="quiet"
        icon={<Plus aria-hidden />}
        onPress={() => onChange([...pairs, { name: '', value: '' }])}
      >
        {add}
      </Button>
    </fieldset>
  );
}

/** The server knows other names of the two kinds, and tells what is wrong with the rest. */
function withType(value: Record<string, unknown>): McpServerConfig {
  const type = value.type ?? ('url' in value ? 'remote' : 'local');
  const isRemote = type === 'remote' || type === 'http' || type === 'sse';
  return { ...value, type: isRemote ? 'remote' : 'local' } as McpServerConfig;
}
