/** What is typed above the list: words, and `agent:claude status:running key:value`. Pure. */
import type { SessionInfo } from 'sandbox-agent-client';
import { titleOf } from './naming.ts';

export interface SessionQuery {
  words: readonly string[];
  agents: readonly string[];
  statuses: readonly string[];
  metadata: readonly (readonly [string, string])[];
}

export const EMPTY_QUERY: SessionQuery = { words: [], agents: [], statuses: [], metadata: [] };

/** `key:"two words"` is one piece. */
function pieces(text: string): string[] {
  return text.match(/(?:[^\s"]+:)?"[^"]*"?|\S+/g) ?? [];
}

const unquoted = (text: string) => text.replaceAll('"', '');

export function parseQuery(text: string): SessionQuery {
  const words: string[] = [];
  const agents: string[] = [];
  const statuses: string[] = [];
  const metadata: [string, string][] = [];
  for (const piece of pieces(text)) {
    const found = /^([\w.-]+):(.+)$/.exec(piece);
    const [name, value] = [found?.[1], unquoted(found?.[2] ?? '')];
    if (!name || value === '' || value.startsWith('//')) {
      words.push(unquoted(piece).toLowerCase());
    } else if (name === 'agent') {
      agents.push(...value.toLowerCase().split(','));
    } else if (name === 'status' || name === 'is') {
      statuses.push(...value.toLowerCase().split(','));
    } else {
      metadata.push([name, value]);
    }
  }
  return { words: words.filter((each) => each !== ''), agents, statuses, metadata };
}

/** Put a filter into the text, or take it out: what the menu does is what could have been typed. */
export function toggleFilter(text: string, name: 'agent' | 'status', value: string): string {
  const query = parseQuery(text);
  const chosen = name === 'agent' ? query.agents : query.statuses;
  const without = pieces(text).filter((each) => !each.startsWith(`${name}:`));
  const next = chosen.includes(value)
    ? chosen.filter((each) => each !== value)
    : [...chosen, value];
  const filter = next.length > 0 ? [`${name}:${next.join(',')}`] : [];
  return [...filter, ...without].join(' ');
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function searched(session: SessionInfo): string {
  const metadata = Object.entries(session.metadata ?? {}).map(
    ([name, value]) => `${name}:${valueText(value)}`,
  );
  return [
    titleOf(session),
    session.id,
    session.agent,
    session.cwd,
    session.model ?? '',
    ...metadata,
  ]
    .join('\n')
    .toLowerCase();
}

/** What this page can tell by itself; the server may find more in what it alone knows. */
export function isFound(session: SessionInfo, query: SessionQuery): boolean {
  return passesFilters(session, query) && hasWords(session, query);
}

export function passesFilters(session: SessionInfo, query: SessionQuery): boolean {
  const { agents, statuses, metadata } = query;
  return (
    (agents.length === 0 || agents.includes(session.agent.toLowerCase())) &&
    (statuses.length === 0 || statuses.includes(session.status)) &&
    metadata.every(
      ([name, value]) => valueText(session.metadata?.[name]).toLowerCase() === value.toLowerCase(),
    )
  );
}

function hasWords(session: SessionInfo, { words }: SessionQuery): boolean {
  if (words.length === 0) {
    return true;
  }
  const text = searched(session);
  return words.every((word) => text.includes(word));
}
