/** Files that are open anywhere in the page: one document each, so that two views of a file are one text. */
import type { SandboxAgent } from 'sandbox-agent-client';
import { documentSource, draftsIn, FileDocument } from 'sandbox-agent-react';

const opened = new WeakMap<SandboxAgent, Map<string, FileDocument>>();

export function documentOf(client: SandboxAgent, path: string): FileDocument {
  let documents = opened.get(client);
  if (!documents) {
    documents = new Map();
    opened.set(client, documents);
  }
  let document = documents.get(path);
  if (!document) {
    const drafts = draftsIn(() => localStorage, client.url);
    document = new FileDocument(documentSource(client), path, drafts);
    documents.set(path, document);
  }
  return document;
}

/** After its tab was closed: what is unsaved stays in the storage. */
export function forgetDocument(client: SandboxAgent, path: string): void {
  opened.get(client)?.delete(path);
}

export function openDocuments(client: SandboxAgent): readonly FileDocument[] {
  return [...(opened.get(client)?.values() ?? [])];
}
