import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { Markdown } from '../../src/markdown/Markdown.tsx';
import { HOSTILE } from '../support/hostile.ts';

const TAGS = new Set(
  'p h3 h4 h5 h6 ul ol li input blockquote pre code table thead tbody tr th td hr br strong em del a span'.split(
    ' ',
  ),
);
const ATTRIBUTES =
  /^(?:href|target|rel|start|type|disabled|readOnly|checked|aria-label|data-[a-z]+)$/;

/** All that could do something in a markup: its elements, their attributes, where they lead. */
function checkMarkup(html: string): void {
  for (const [, tag = '', attributes = ''] of html.matchAll(/<([a-z0-9]+)((?:\s+[^<>]*)?)\/?>/gi)) {
    expect(TAGS, html.slice(0, 200)).toContain(tag);
    for (const [, name = '', value = ''] of attributes.matchAll(/([a-z-]+)="([^"]*)"/gi)) {
      expect(name).toMatch(ATTRIBUTES);
      if (name === 'href') expect(value).toMatch(/^(?:https?:\/\/|mailto:)/);
      if (name === 'rel') expect(value).toBe('noopener noreferrer');
    }
  }
}

describe('a hostile text', () => {
  it.each(Object.entries(HOSTILE))('is only shown: %s', (_name, text) => {
    checkMarkup(renderToStaticMarkup(<Markdown text={text} />));
    checkMarkup(renderToStaticMarkup(<Markdown text={text} streaming />));
  });

  it('is shown as it was written when it is HTML', () => {
    const html = renderToStaticMarkup(
      <Markdown text={'a <b onclick="x()">c</b>\n\n<div>d</div>'} />,
    );
    expect(html).toContain('&lt;b onclick=&quot;x()&quot;&gt;');
    expect(html).toContain('&lt;div&gt;d&lt;/div&gt;');
  });

  it('shows where a link leads that names another place', () => {
    const html = renderToStaticMarkup(<Markdown text="[bank.example](https://evil.example)" />);
    expect(html).toContain('(evil.example)');
  });
});

it('renders what agents write', () => {
  const text = [
    '# Title',
    'A **bold** and *soft* `code` with a [link](https://example.org) & more.',
    '- [x] done\n- [ ] open',
    '3. three\n4. four',
    '| a | b |\n|---|--:|\n| 1 | 2 |',
    '```ts\nlet x = 1;\n```',
    '> quoted',
  ].join('\n\n');
  expect(renderToStaticMarkup(<Markdown text={text} />)).toMatchSnapshot();
});
