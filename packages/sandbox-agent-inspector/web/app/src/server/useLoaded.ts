import { type DependencyList, useEffect, useState } from 'react';

interface Loaded<T> {
  readonly value: T | null;
  readonly problem: Error | null;
}

/** What a request answers; the last answer stays while the next is under way. */
export function useLoaded<T>(
  load: (signal: AbortSignal) => Promise<T>,
  dependencies: DependencyList,
): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ value: null, problem: null });
  useEffect(() => {
    const abort = new AbortController();
    load(abort.signal).then(
      (value) => abort.signal.aborted || setLoaded({ value, problem: null }),
      (problem: unknown) =>
        abort.signal.aborted ||
        setLoaded((old) => ({
          ...old,
          problem: problem instanceof Error ? problem : new Error(String(problem)),
        })),
    );
    return () => abort.abort();
    // biome-ignore lint/correctness/useExhaustiveDependencies: the caller says when to load again.
  }, dependencies);
  return loaded;
}
