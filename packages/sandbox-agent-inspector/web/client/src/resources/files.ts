import type {
  FileEntryList,
  FileStat,
  FileWritten,
  FoundFiles,
  FoundText,
  MovedFile,
  operations,
  PathChanged,
} from '../api/schema.ts';
import { readSse } from '../http/sse.ts';
import { queryOf, type Transport } from '../http/transport.ts';

type Params<Name extends keyof operations> = NonNullable<operations[Name]['parameters']['query']>;
type Signal = { signal?: AbortSignal | undefined };

export interface FileChange {
  readonly kind: string;
  readonly path: string;
}

/** How far an upload is: of this file, and of all. */
export interface UploadProgress {
  readonly path: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly doneFiles: number;
  readonly totalFiles: number;
}

/** A file to upload: `path` is relative to the directory that it is uploaded to. */
export interface Upload {
  readonly path: string;
  readonly data: Blob;
}

export interface WriteOptions extends Signal {
  /** Write only over what has this `etag`: somebody else's change is not lost (412 `precondition_failed`). */
  ifMatch?: string | undefined;
  /** False: refuse (409 `path_exists`) when it is there already. */
  overwrite?: boolean | undefined;
  /** As for `chmod`: `755`. */
  mode?: string | undefined;
}

export class Files {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** A page of a directory. */
  list(
    path: string,
    query: Omit<Params<'get_fs_entries'>, 'path'> & Signal = {},
  ): Promise<FileEntryList> {
    const { signal, ...rest } = query;
    return this.#transport.json('GET', '/v1/fs/entries', { query: { path, ...rest }, signal });
  }

  stat(path: string, { signal }: Signal = {}): Promise<FileStat> {
    return this.#transport.json('GET', '/v1/fs/stat', { query: { path }, signal });
  }

  /** The answer, with `etag` and `content-type` in its headers; `range` as in HTTP: `bytes=0-1023`. */
  read(path: string, options: { range?: string } & Signal = {}): Promise<Response> {
    const { range, signal } = options;
    return this.#transport.send('GET', '/v1/fs/file', {
      query: { path },
      headers: { range },
      signal,
    });
  }

  async readText(path: string, options: Signal = {}): Promise<string> {
    return (await this.read(path, options)).text();
  }

  /** Write a file, whole or not at all; directories above it are made. */
  write(path: string, data: BodyInit, options: WriteOptions = {}): Promise<FileWritten> {
    const { ifMatch, overwrite, mode, signal } = options;
    const headers = { 'content-type': 'application/octet-stream', 'if-match': ifMatch };
    const query = { path, overwrite, mode };
    return this.#transport.json('PUT', '/v1/fs/file', { query, headers, body: data, signal });
  }

  mkdir(path: string): Promise<PathChanged> {
    return this.#transport.json('POST', '/v1/fs/mkdir', { query: { path } });
  }

  move(from: string, to: string, options: { overwrite?: boolean } = {}): Promise<MovedFile> {
    return this.#transport.json('POST', '/v1/fs/move', { json: { from, to, ...options } });
  }

  remove(path: string, options: { recursive?: boolean } = {}): Promise<PathChanged> {
    return this.#transport.json('DELETE', '/v1/fs/entry', { query: { path, ...options } });
  }

  /** Files and directories below `path` whose names match, best first. */
  find(
    path: string,
    query: Omit<Params<'get_fs_find'>, 'path'> & Signal = {},
  ): Promise<FoundFiles> {
    const { signal, ...rest } = query;
    return this.#transport.json('GET', '/v1/fs/find', { query: { path, ...rest }, signal });
  }

  grep(path: string, query: Omit<Params<'get_fs_grep'>, 'path'> & Signal): Promise<FoundText> {
    const { signal, ...rest } = query;
    return this.#transport.json('GET', '/v1/fs/grep', { query: { path, ...rest }, signal });
  }

  /** What changes below a directory, from the moment on in which the first is waited for. */
  async *watch(
    path: string,
    { recursive, signal, onReady }: { recursive?: boolean; onReady?(): void } & Signal = {},
  ): AsyncGenerator<FileChange, void, undefined> {
    const response = await this.#transport.send('GET', '/v1/fs/watch', {
      query: { path, recursive },
      accept: 'text/event-stream',
      signal,
    });
    for await (const messages of readSse(response, { signal })) {
      for (const { event, data } of messages) {
        if (event === 'ready') onReady?.();
        else if (event === 'change') yield JSON.parse(data) as FileChange;
      }
    }
  }

  /** Write files into a directory, one after the other: a phone's memory holds one of them. */
  async upload(
    directory: string,
    files: readonly Upload[],
    options: { onProgress?(progress: UploadProgress): void; overwrite?: boolean } & Signal = {},
  ): Promise<FileWritten[]> {
    const { onProgress, ...write } = options;
    const totalBytes = files.reduce((sum, file) => sum + file.data.size, 0);
    const written: FileWritten[] = [];
    let before = 0;
    for (const file of files) {
      const tell = (bytes: number, doneFiles: number) =>
        onProgress?.({
          path: file.path,
          doneBytes: before + bytes,
          totalBytes,
          doneFiles,
          totalFiles: files.length,
        });
      tell(0, written.length);
      const path = `${directory.replace(/\/+$/, '')}/${file.path}`;
      written.push(await this.write(path, file.data, write));
      tell(file.data.size, written.length);
      before += file.data.size;
    }
    return written;
  }

  /** Where a file is, for a request that sends the token in a header: an address bar cannot. */
  downloadUrl(path: string): string {
    return `${this.#transport.url}/v1/fs/file${queryOf({ path })}`;
  }

  /** A file, to be saved by a browser. */
  async download(path: string, { signal }: Signal = {}): Promise<Blob> {
    return (await this.read(path, { signal })).blob();
  }

  /** A directory in a tar. */
  archive(path: string, format: 'tar' | 'tar.gz' = 'tar.gz'): Promise<Response> {
    return this.#transport.send('GET', '/v1/fs/archive', { query: { path, format } });
  }
}
