import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

// The server answers `index.html` with a fresh nonce in place of this; see `http/inspector.py` of the server.
const NONCE = '__CSP_NONCE__';

/** The words of its parts in other languages than the page's own (`I18nProvider` in `App.tsx`). */
const withoutOtherLanguages: Plugin = {
  name: 'without-other-languages',
  load: {
    filter: { id: /\/react-(aria|stately)[^?]*\/intl\/(?:.*\/)?(?!en-US)[a-z]{2}-[A-Z]{2}\.mjs$/ },
    handler: () => 'export default {};',
  },
};

export default defineConfig({
  base: '/ui/',
  // The parts also run in workers, where what a hot exchange needs is not.
  plugins: [withoutOtherLanguages, react({ exclude: [/node_modules/, /\/web\/react\/src\//] })],
  resolve: { conditions: ['sandbox-agent-source', 'module', 'browser', 'development|production'] },
  html: { cspNonce: NONCE },
  // `npm run dev` beside a real server: SANDBOX_AGENT_URL=http://127.0.0.1:2468, started with --cors-origin of the page.
  server: {
    host: '127.0.0.1',
    proxy: {
      '/v1': { target: process.env.SANDBOX_AGENT_URL ?? 'http://127.0.0.1:2468', ws: true },
      '/openapi.json': { target: process.env.SANDBOX_AGENT_URL ?? 'http://127.0.0.1:2468' },
    },
  },
  worker: { format: 'es' },
  build: {
    outDir: '../../src/sandbox_agent_inspector/static',
    emptyOutDir: true,
    target: 'es2022',
    manifest: true,
    // A `data:` URL would need a hole in the policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // Else each of them that two rooms share is a file of its own.
      output: { codeSplitting: { groups: [{ name: 'icons', test: /lucide-react/ }] } },
    },
  },
});
