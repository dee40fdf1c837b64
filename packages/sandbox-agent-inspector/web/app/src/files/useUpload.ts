import { useCallback, useEffect, useRef, useState } from 'react';
import { ApiError } from 'sandbox-agent-client';
import { type UploadFile, Uploading, type UploadProgress, useClient } from 'sandbox-agent-react';

/** One upload at a time; who leaves the room leaves it running. */
export function useUpload(onDone: () => void) {
  const client = useClient();
  const [progress, setProgress] = useState<UploadProgress | null>(null);
  const running = useRef<Uploading | null>(null);
  const done = useRef(onDone);
  useEffect(() => {
    done.current = onDone;
  });

  const start = useCallback(
    (directory: string, files: readonly UploadFile[]) => {
      if (files.length === 0) return;
      running.current = new Uploading(
        {
          put: (path, data, options) => client.files.write(path, data, options),
          isExisting: (error) => error instanceof ApiError && error.code === 'path_exists',
        },
        directory,
        files,
        (now) => {
          setProgress(now);
          if (now.state === 'done') done.current();
        },
      );
    },
    [client],
  );

  return {
    progress,
    start,
    decide: useCallback((replace: boolean) => running.current?.decide(replace), []),
    cancel: useCallback(() => running.current?.cancel(), []),
    dismiss: useCallback(() => setProgress(null), []),
  };
}
