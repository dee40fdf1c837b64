import { useEffect, useSyncExternalStore } from 'react';
import { ApiError, type SandboxAgent } from 'sandbox-agent-client';
import type { DocumentSnapshot, DocumentSource, DraftStorage, FileDocument } from './document.ts';

/** Files of a server, as an editor wants them. */
export function documentSource(client: SandboxAgent): DocumentSource {
  return {
    async read(path, maxBytes) {
      let response: Response;
      try {
        response = await client.files.read(path, { range: `bytes=0-${maxBytes - 1}` });
      } catch (error) {
        // An empty file has no first byte.
        if (!(error instanceof ApiError && error.status === 416)) throw error;
        const { etag, size } = await client.files.stat(path);
        return { bytes: new Uint8Array(), etag: etag ?? null, size };
      }
      const bytes = new Uint8Array(await response.arrayBuffer());
      const whole = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
      return {
        bytes,
        etag: response.headers.get('etag'),
        size: whole ? Number(whole[1]) : bytes.length,
      };
    },
    async write(path, data, options) {
      const written = await client.files.write(path, new Uint8Array(data), options);
      return { etag: written.etag ?? null };
    },
    kindOf(error) {
      if (!(error instanceof ApiError)) return 'other';
      if (error.code === 'file_changed' || error.code === 'path_exists') return 'changed';
      return error.code === 'path_not_found' ? 'gone' : 'other';
    },
  };
}

/** Unsaved text in a storage of the browser, for one server. */
export function draftsIn(storage: () => Storage, server: string): DraftStorage {
  const key = (path: string) => `sandbox-agent:file-draft:${server}:${path}`;
  return {
    get(path) {
      try {
        const draft: unknown = JSON.parse(storage().getItem(key(path)) ?? 'null');
        if (typeof draft !== 'object' || draft === null || !('text' in draft)) return null;
        const etag = 'etag' in draft && typeof draft.etag === 'string' ? draft.etag : null;
        return typeof draft.text === 'string' ? { text: draft.text, etag } : null;
      } catch {
        return null;
      }
    },
    set(path, draft) {
      try {
        storage().setItem(key(path), JSON.stringify(draft));
      } catch {
        // A full or forbidden storage keeps nothing: the text is in the page all the same.
      }
    },
    remove(path) {
      try {
        storage().removeItem(key(path));
      } catch {
        // As above.
      }
    },
  };
}

export function useFileDocument(document: FileDocument): DocumentSnapshot {
  const snapshot = useSyncExternalStore(
    document.subscribe,
    document.getSnapshot,
    document.getSnapshot,
  );
  useEffect(() => {
    if (document.getSnapshot().state === 'loading') void document.load();
  }, [document]);
  return snapshot;
}
