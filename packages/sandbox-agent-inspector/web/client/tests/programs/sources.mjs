/** Loads the client's TypeScript as it is, for programs that run in Node without a build. */

import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';

/** The exports of a module below `client/src`. The second of the two returns ends what loads them. */
export async function loadSources(path) {
  const server = await createServer({
    root: fileURLToPath(new URL('../..', import.meta.url)),
    configFile: false,
    logLevel: 'error',
    appType: 'custom',
    optimizeDeps: { noDiscovery: true },
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  });
  return [await server.ssrLoadModule(`/src/${path}`), () => server.close()];
}
