import { expect, test } from 'vitest';
import { addressOf, frameSize, whyNoPreview, writtenPath } from '../../src/ports/preview.ts';

const HERE = {
  origin: 'http://127.0.0.1:2468',
  hostname: '127.0.0.1',
  protocol: 'http:',
};
const CHROME = 'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const SAFARI =
  'Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15';
const TICKET = { origin: 'http://port-3000.localhost:2468', ticket: 'stk_a.b' };

test('a port is previewed where the server is at a loopback address of its own', () => {
  expect(whyNoPreview(HERE.origin, HERE, CHROME)).toBeNull();
  const localhost = { ...HERE, origin: 'http://localhost', hostname: 'localhost' };
  expect(whyNoPreview('http://localhost', localhost, CHROME)).toBeNull();
});

test.each([
  ['another server', 'http://127.0.0.1:9999', HERE, CHROME],
  ['beneath a hub', `${HERE.origin}/servers/box`, HERE, CHROME],
  [
    'a name of its own',
    'http://box.example',
    { ...HERE, origin: 'http://box.example', hostname: 'box.example' },
    CHROME,
  ],
  [
    'a name that begins like an address',
    'http://127.0.0.1.example',
    { ...HERE, origin: 'http://127.0.0.1.example', hostname: '127.0.0.1.example' },
    CHROME,
  ],
  [
    'TLS',
    'https://localhost',
    { origin: 'https://localhost', hostname: 'localhost', protocol: 'https:' },
    CHROME,
  ],
  ['Safari', HERE.origin, HERE, SAFARI],
])('and nowhere else: %s', (_, server, page, agent) => {
  expect(whyNoPreview(server, page, agent)).toMatch(/\.$/);
});

test.each([
  ['', '/'],
  ['app', '/app'],
  ['/a?b=1#c', '/a?b=1#c'],
  ['?b', '/?b'],
  [' http://localhost:3000/x?y ', '/x?y'],
  ['http://127.0.0.1:8080', '/'],
  ['//evil.example/x', '/evil.example/x'],
  ['/\\evil.example', '/evil.example'],
  ['http://localhost.example/x', '/http://localhost.example/x'],
])('what is typed, %j, is a path', (typed, path) => {
  expect(writtenPath(typed)).toBe(path);
  expect(new URL(TICKET.origin + writtenPath(typed)).origin).toBe(TICKET.origin);
});

test('the ticket goes along, and nowhere else', () => {
  const address = (path: string) => addressOf(TICKET, path, HERE.origin);
  expect(address('/')).toBe(`${TICKET.origin}/?ticket=stk_a.b`);
  expect(address('/a?b=%20#c')).toBe(`${TICKET.origin}/a?b=%20&ticket=stk_a.b#c`);
  expect(address('//evil.example')).toBe(`${TICKET.origin}/evil.example?ticket=stk_a.b`);
  expect(addressOf({ ...TICKET, origin: null }, '/', HERE.origin)).toBeNull();
  expect(addressOf({ ...TICKET, origin: HERE.origin }, '/', HERE.origin)).toBeNull();
});

test('a frame is as wide as the device, and made smaller to fit', () => {
  const room = { width: 640, height: 500 };
  expect(frameSize('fit', room)).toEqual({ ...room, scale: 1 });
  expect(frameSize('phone', room)).toEqual({ width: 390, height: 500, scale: 1 });
  expect(frameSize('desktop', room)).toEqual({ width: 1280, height: 1000, scale: 0.5 });
});
