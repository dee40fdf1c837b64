import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['sandbox-agent-source', 'module', 'browser', 'development|production'] },
  ssr: {
    resolve: { conditions: ['sandbox-agent-source', 'module', 'node', 'development|production'] },
  },
  test: {
    // Some start shells, on machines that do much else.
    testTimeout: 30_000,
    include: ['{client,react,app}/tests/**/*.test.{ts,tsx}'],
  },
});
