/// <reference types="node" />
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { curlCommand, shellQuoted } from '../../src/timeline/curl.ts';

const WORDS = [
  '',
  'plain',
  "it's",
  '"$HOME" `id` $(id) !x',
  'a\nb\tc',
  "esc\u001b[31m' \\ \u202egnp.exe",
  '🙂\u0007',
  '-n',
  '~',
  'a b',
  '\\u0041\u009b',
];

test('bash reads every word as it was', () => {
  const script = `printf '%s\\0' ${WORDS.map(shellQuoted).join(' ')}`;
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' };
  const read = execFileSync('bash', ['--norc', '-c', script], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(read.toString('utf8').split('\0').slice(0, -1)).toEqual(WORDS);
});

test('no control or bidi character gets to a terminal', () => {
  const shown = WORDS.map(shellQuoted).join('');
  for (const char of ['\u0007', '\u001b', '\u009b', '\u202e']) expect(shown).not.toContain(char);
});

test('the token is a variable, whatever the headers say', () => {
  const command = curlCommand({
    method: 'POST',
    url: 'http://127.0.0.1:2468/v1/sessions/a%20b/prompt?x=1&y=2',
    headers: {
      Authorization: 'Bearer secret',
      'X-Sandbox-Agent-Token': 'secret',
      'Idempotency-Key': "k'1",
    },
    body: '{"text": "it\'s"}',
  });
  expect(command).toBe(
    `curl -H "Authorization: Bearer $SANDBOX_AGENT_TOKEN" -H 'Idempotency-Key: k'\\''1' ` +
      `--data-raw '{"text": "it'\\''s"}' 'http://127.0.0.1:2468/v1/sessions/a%20b/prompt?x=1&y=2'`,
  );
  expect(curlCommand({ method: 'DELETE', url: 'http://h/v1/x' })).toContain('-X DELETE');
});
