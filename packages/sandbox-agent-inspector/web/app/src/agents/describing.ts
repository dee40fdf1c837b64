import type { AgentAbilities, AgentInfo } from 'sandbox-agent-client';

export interface Ability {
  key: keyof AgentAbilities & string;
  words: string;
}

/** What an agent can, as one would ask for it. */
export const ABILITIES: readonly Ability[] = [
  { key: 'permissions', words: 'Asks before it does something' },
  { key: 'questions', words: 'Asks a person questions' },
  { key: 'planMode', words: 'Plans without changing anything' },
  { key: 'reasoning', words: 'Shows what it thinks' },
  { key: 'streamingDeltas', words: 'Writes as you watch' },
  { key: 'toolCalls', words: 'Tells which tools it uses' },
  { key: 'toolResults', words: 'Tells what its tools found' },
  { key: 'commandExecution', words: 'Runs commands' },
  { key: 'fileChanges', words: 'Changes files' },
  { key: 'images', words: 'Takes images' },
  { key: 'fileAttachments', words: 'Takes files in a prompt' },
  { key: 'mcpTools', words: 'Uses MCP servers' },
];

export type AgentState = 'ready' | 'noCredentials' | 'missing';

export function stateOf(agent: AgentInfo): AgentState {
  if (!agent.installed) return 'missing';
  return agent.credentialsAvailable === false ? 'noCredentials' : 'ready';
}

export const STATE_WORDS: Readonly<Record<AgentState, string>> = {
  ready: 'ready',
  noCredentials: 'no credentials',
  missing: 'not installed',
};

/** The variable that is usual for a provider's key. */
const VARIABLES: Readonly<Record<string, string>> = {
  anthropic: 'ANTHROPIC_API_KEY',
  google: 'GEMINI_API_KEY',
  openai: 'OPENAI_API_KEY',
  xai: 'XAI_API_KEY',
};

export function variablesOf(agent: AgentInfo): string[] {
  return (agent.baseUrlProviders ?? []).flatMap((provider) =>
    Object.hasOwn(VARIABLES, provider) ? [VARIABLES[provider] ?? ''] : [],
  );
}

export interface OptionRow {
  name: string;
  type: string;
  description: string;
  isAllowed: boolean;
  isRisky: boolean;
}

/** The agent's own options of a session, out of their JSON schema. */
export function optionsOf(agent: AgentInfo): OptionRow[] {
  const properties = agent.agentOptionsSchema?.properties;
  if (!isRecord(properties)) return [];
  const allowed = new Set(agent.allowedAgentOptions ?? []);
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    type: typeOf(schema),
    description:
      isRecord(schema) && typeof schema.description === 'string' ? schema.description : '',
    isAllowed: allowed.has(name),
    isRisky: isRecord(schema) && schema.risky === true,
  }));
}

function typeOf(schema: unknown): string {
  if (!isRecord(schema)) return 'any';
  if (Array.isArray(schema.enum)) return schema.enum.map((one) => JSON.stringify(one)).join(' | ');
  const options = Array.isArray(schema.anyOf)
    ? schema.anyOf
    : Array.isArray(schema.oneOf)
      ? schema.oneOf
      : null;
  if (options) {
    const types = options.map(typeOf).filter((type) => type !== 'null');
    return [...new Set(types)].join(' | ') || 'any';
  }
  if (schema.type === 'array') return `list of ${typeOf(schema.items)}`;
  return typeof schema.type === 'string' ? schema.type : 'any';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface Named {
  id: string;
  name: string;
  description: string | null;
}

/** `{id, name, description?}` of what an agent reports. */
export function namedOf(list: readonly Record<string, unknown>[] | undefined): Named[] {
  return (list ?? []).flatMap((one) => {
    const id = one.id ?? one.modelId ?? one.value;
    if (typeof id !== 'string') return [];
    return [
      {
        id,
        name: typeof one.name === 'string' ? one.name : id,
        description: typeof one.description === 'string' ? one.description : null,
      },
    ];
  });
}
