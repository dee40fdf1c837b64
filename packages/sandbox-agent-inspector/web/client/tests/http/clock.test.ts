import { expect, test } from 'vitest';
import { SandboxAgent } from '../../src/index.ts';

test('the clock of the server is known from its answers, unless it is the same but for the way', async () => {
  let date = '';
  const client = new SandboxAgent({
    url: 'http://server',
    fetch: async () => new Response('{}', { headers: { date } }),
  });
  expect(client.clockOffsetMs).toBe(0);
  for (const [ahead, told] of [
    [600_000, 600_000],
    [-600_000, -600_000],
    [-2000, 0],
  ] as const) {
    date = new Date(Date.now() + ahead).toUTCString();
    await client.health();
    expect(Math.abs(client.clockOffsetMs - told)).toBeLessThan(2000);
  }
  date = 'yesterday';
  await client.health();
  expect(client.clockOffsetMs).toBe(0);
});
