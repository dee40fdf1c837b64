import { describe, expect, it } from 'vitest';
import { hostToShow, linkTarget } from '../../src/markdown/links.ts';

describe('a link', () => {
  it.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    '\u0001javascript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:x',
    'blob:https://example.org/1',
    'view-source:https://example.org',
    'intent://x',
    '//evil.example',
    '\\\\evil.example\\share',
    'https://exa\u202emple.org',
    'https://',
    '#top',
    '',
  ])('is none for %j', (href) => {
    expect(linkTarget(href)).toBeNull();
  });

  it('leads to the web, to a mail or to a file', () => {
    expect(linkTarget('https://example.org/a?b#c')).toEqual({
      kind: 'web',
      href: 'https://example.org/a?b#c',
      host: 'example.org',
    });
    expect(linkTarget('mailto:ana@example.org')).toMatchObject({
      kind: 'mail',
      host: 'example.org',
    });
    expect(linkTarget('src/a%20b.py#L10-L20')).toEqual({
      kind: 'path',
      path: 'src/a b.py',
      line: 10,
    });
    expect(linkTarget('/workspace/x.ts:42')).toEqual({
      kind: 'path',
      path: '/workspace/x.ts',
      line: 42,
    });
    expect(linkTarget('file:///etc/hosts')).toEqual({
      kind: 'path',
      path: '/etc/hosts',
      line: null,
    });
  });

  it.each([
    ['https://evil.example/x', 'https://bank.example', 'evil.example'],
    ['https://evil.example/x', 'bank.example', 'evil.example'],
    ['https://bank.example@evil.example/', 'https://bank.example@evil.example/', 'evil.example'],
    ['https://bank.example/x', 'www.bank.example', null],
    ['https://evil.example/x', 'the documentation', null],
    ['https://b\u0430nk.example/', 'b\u0430nk.example', 'xn--bnk-6cd.example'],
    ['mailto:eve@evil.example', 'ana@bank.example', 'evil.example'],
    ['https://bank.example:8443/', 'bank.example', null],
  ])('%s under the text %j shows %s', (href, text, shown) => {
    const target = linkTarget(href);
    expect(target && hostToShow(target, text)).toBe(shown);
  });
});

it('says where a link leads whose text is too long to be read', () => {
  const target = linkTarget('https://example.org/');
  expect(target && hostToShow(target, 'a-b.'.repeat(20_000))).toBe('example.org');
});
