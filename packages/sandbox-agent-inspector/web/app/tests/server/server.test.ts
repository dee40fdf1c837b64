import type { RequestRecord } from 'sandbox-agent-client';
import { expect, test } from 'vitest';
import { durationText, isFailure, matches, statusText } from '../../src/server/requests.ts';
import { compareVersions } from '../../src/server/versions.ts';

function record(values: Partial<RequestRecord>): RequestRecord {
  return {
    id: 1,
    method: 'GET',
    path: '/v1/sessions/ses_1/events?after=7',
    startedAt: 0,
    body: null,
    headers: {},
    isStream: false,
    ...values,
  };
}

test('a request is under way, answered, refused, unanswered or given up', () => {
  const all = [
    record({}),
    record({ status: 200, durationMs: 12.4 }),
    record({ status: 404, error: { code: 'session_not_found', message: 'no' } }),
    record({ status: 0, error: { code: 'network_error', message: 'TypeError: Failed to fetch' } }),
    record({ status: 0, error: { code: 'network_error', message: 'AbortError: aborted' } }),
  ];
  expect(all.map(statusText)).toEqual(['…', '200', '404', 'no answer', 'cancelled']);
  expect(all.map(isFailure)).toEqual([false, false, true, true, false]);
  expect(all.map(durationText)).toEqual(['', '12 ms', '', '', '']);
  expect(durationText(record({ isStream: true, durationMs: 3 }))).toBe('stream');
});

test('requests are found by method, path, status and code', () => {
  const refused = record({ status: 404, error: { code: 'session_not_found', message: 'no' } });
  for (const text of ['', 'get', ' after=7', '404', 'not_found']) {
    expect(matches(refused, text, true)).toBe(true);
  }
  expect(matches(refused, 'post', false)).toBe(false);
  expect(matches(record({ status: 200 }), '', true)).toBe(false);
});

test('a server of another minor version is older or newer', () => {
  expect(compareVersions('0.1.9', '0.1.0')).toBe('same');
  expect(compareVersions('0.1.0', '0.2.0')).toBe('older');
  expect(compareVersions('1.0.0', '0.9.0')).toBe('newer');
  expect(compareVersions('0.10.0', '0.9.0')).toBe('newer');
  expect(compareVersions('dev', '0.9.0')).toBe('same');
});
