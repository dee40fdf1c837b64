/** The pages that a search found, wherever the agent puts them. */
import type { ToolItem } from 'sandbox-agent-client';
import { listOf, textOf } from './shapes.ts';

export interface FoundLink {
  readonly url: string;
  readonly title: string;
  readonly snippet: string | null;
}

const MAX_LINKS = 50;
const MAX_DEPTH = 5;

export function linksIn(item: ToolItem): FoundLink[] {
  const found = new Map<string, FoundLink>();
  for (const block of item.content ?? []) {
    if (block.type === 'resource_link') add(found, block);
  }
  walk(item.output, 0, found);
  return [...found.values()].slice(0, MAX_LINKS);
}

function walk(value: unknown, depth: number, found: Map<string, FoundLink>): void {
  if (depth > MAX_DEPTH || found.size >= MAX_LINKS || typeof value !== 'object' || value === null) {
    return;
  }
  for (const one of Array.isArray(value) ? listOf(value).slice(0, 200) : Object.values(value)) {
    if (typeof one !== 'object' || one === null) continue;
    if (!add(found, one)) walk(one, depth + 1, found);
  }
}

function add(found: Map<string, FoundLink>, told: unknown): boolean {
  const url = textOf(told, 'url', 'uri', 'link', 'href');
  const title = textOf(told, 'title', 'name');
  if (url === null || title === null || !/^https?:\/\//i.test(url)) return false;
  if (!found.has(url)) {
    found.set(url, { url, title, snippet: textOf(told, 'snippet', 'description', 'summary') });
  }
  return true;
}
