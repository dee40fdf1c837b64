import { type Event, fold } from 'sandbox-agent-client';
import { describe, expect, test } from 'vitest';
import { contentsOf } from '../../src/export/contents.ts';
import type { ExportFacts } from '../../src/export/facts.ts';
import { htmlTranscript } from '../../src/export/html.tsx';
import { markdownTranscript } from '../../src/export/markdown.ts';
import { codeSpan, embedded, fenced } from '../../src/export/markdown-text.ts';
import { eventsInRange } from '../../src/export/range.ts';
import { eventTexts } from '../../src/export/raw.ts';
import { lexMarkdown } from '../../src/markdown/blocks.ts';

const FACTS: ExportFacts = {
  version: '0.1.0',
  exportedAt: '2026-11-23T12:00:00Z',
  sha256: null,
  events: 1,
  part: null,
};
const ALL = { reasoning: true, details: true };

let lastSeq = 0;
function event(type: string, data: unknown, turnId?: string): Event {
  lastSeq += 1;
  const time = new Date(Date.parse('2026-11-23T12:00:00Z') + lastSeq * 1000).toISOString();
  return {
    seq: lastSeq,
    id: `s:${lastSeq}`,
    sessionId: 's',
    sender: 'agent',
    time,
    type,
    data,
    turnId,
  } as unknown as Event;
}

function session(prompt: string, ...inside: [string, unknown][]): Event[] {
  lastSeq = 0;
  return [
    event('session.created', { agent: 'claude', cwd: '/repo' }),
    event('turn.started', { text: prompt, content: [{ type: 'text', text: prompt }] }, 't1'),
    ...inside.map(([type, data]) => event(type, data, 't1')),
    event(
      'turn.ended',
      { stopReason: 'end_turn', usage: { inputTokens: 18420, outputTokens: 2110 } },
      't1',
    ),
  ];
}

const EDIT: [string, unknown][] = [
  [
    'message.completed',
    { messageId: 'm', text: 'I look at it.', content: [{ type: 'text', text: 'I look at it.' }] },
  ],
  [
    'tool.started',
    {
      toolCallId: 'c',
      title: 'Edit',
      kind: 'edit',
      diffs: [{ path: '/repo/a.py', oldText: 'a = 1\n', newText: 'a = 2\n', isWholeFile: true }],
    },
  ],
  [
    'tool.completed',
    {
      toolCallId: 'c',
      title: 'Edit',
      kind: 'edit',
      status: 'completed',
      diffs: [{ path: '/repo/a.py', oldText: 'a = 1\n', newText: 'a = 2\n', isWholeFile: true }],
    },
  ],
  ['permission.requested', { requestId: 'r', command: 'git push' }],
  [
    'permission.resolved',
    { requestId: 'r', outcome: 'selected', optionName: 'Allow', decidedBy: 'user', actor: 'ana' },
  ],
];

describe('JSON lines', () => {
  const texts = [
    '{"seq":1,"n":1.0,"big":12345678901234567890,"e":"\\u00e9"}',
    '{"2":"a","1":"]}\\"\\\\","x":[[],{"events":[{}]}]}',
    '{"type":"x","data":{"text":"\\",\\"events\\":[{\\"a\\":1}],\\"nextCursor\\":9"}}',
  ];

  test('are the very bytes of the API', () => {
    const page = `{"events":[${texts.join(',')}],"nextCursor":3,"hasMore":false}`;
    expect(eventTexts(page)).toEqual(texts);
    expect(eventTexts(`{ "events" : [ ${texts.join(' , ')} ] }`)).toEqual(texts);
    expect(eventTexts('{"events":[],"nextCursor":0}')).toEqual([]);
  });

  test('are refused where a page has no end, or is none', () => {
    expect(() => eventTexts('{"events":[{"a":1}')).toThrow(SyntaxError);
    expect(() => eventTexts('{"x":{"events":[{"a":1}]}}')).toThrow(SyntaxError);
  });

  test('give the same transcript, and the same Markdown, when they are read again', () => {
    const events = session('Fix it', ...EDIT);
    const lines = eventTexts(JSON.stringify({ events, nextCursor: 9, hasMore: false })).join('\n');
    const again = lines.split('\n').map((line) => JSON.parse(line) as Event);
    expect(fold(again)).toEqual(fold(events));
    expect(markdownTranscript(fold(again), FACTS, ALL)).toBe(
      markdownTranscript(fold(events), FACTS, ALL),
    );
    expect(htmlTranscript(fold(again), FACTS, ALL)).toBe(htmlTranscript(fold(events), FACTS, ALL));
  });
});

describe('Markdown', () => {
  test('reads as the conversation was', () => {
    const text = markdownTranscript(fold(session('Fix it', ...EDIT)), FACTS, ALL);
    expect(text).toContain('# Fix it\n');
    expect(text).toContain('**You**\n\n> Fix it');
    expect(text).toContain('**Edit** `a.py`');
    expect(text).toMatch(
      /```diff\n--- .*\n\+\+\+ \/repo\/a\.py\n@@ -1,1 \+1,1 @@\n-a = 1\n\+a = 2\n```/,
    );
    expect(text).toContain('**Permission** `git push`: Allow, by ana');
    expect(text).toContain('18 420 in / 2 110 out');
  });

  test('leaves out what was not asked for', () => {
    const events = session(
      'x',
      ['reasoning.completed', { messageId: 'r', text: 'secret thought' }],
      ...EDIT,
    );
    const text = markdownTranscript(fold(events), FACTS, { reasoning: false, details: false });
    expect(text).not.toContain('secret thought');
    expect(text).not.toContain('```diff');
    expect(text).toContain('**Edit** `a.py`');
  });

  test('fences are longer than what they hold', () => {
    expect(fenced('a\n````\nb')).toBe('`````\na\n````\nb\n`````');
    expect(codeSpan('a `` b')).toBe('```a `` b```');
    expect(codeSpan('`x')).toBe('`` `x ``');
    expect(codeSpan('a\u202eb\nc')).toBe('`a⟨U+202E⟩b c`');
  });

  test('an agent cannot write headings, HTML, pictures or open ends of ours', () => {
    const hostile = [
      '# Turn 9',
      'Fake',
      '====',
      '<script>alert(1)</script> `<b>` <https://example.org>',
      '![x](https://evil.example/x.png)',
      '```',
      '<script>',
      '# not a heading',
    ].join('\n');
    const out = embedded(hostile);
    expect(out).toContain('### Turn 9');
    expect(out).toContain('\\====');
    expect(out).toContain('\\<script>alert(1)\\</script> `<b>` <https://example.org>');
    expect(out).toContain('\\![x](https://evil.example/x.png)');
    expect(out.endsWith('\n```\n<script>\n# not a heading\n```')).toBe(true);
    const tokens = lexMarkdown(out, false).blocks.map((block) => block.token?.type);
    expect(tokens).not.toContain('html');
    expect(tokens.at(-1)).toBe('code');
  });
});

describe('HTML', () => {
  const HOSTILE =
    '<script>alert(1)</script><img src=x onerror=alert(1)>\n\n[x](javascript:alert(1)) ![p](https://evil.example/p.png)';

  test('has no script, and nothing that is loaded or runs', () => {
    const events = session(
      HOSTILE,
      ['message.completed', { messageId: 'm', text: HOSTILE }],
      [
        'tool.completed',
        {
          toolCallId: 'c',
          title: HOSTILE,
          kind: 'execute',
          status: 'failed',
          input: { command: HOSTILE },
          terminalOutput: `\u001b[31m${HOSTILE}`,
        },
      ],
      ['plan.updated', { entries: [{ content: HOSTILE, status: 'pending' }] }],
      [
        'question.requested',
        { requestId: 'q', message: HOSTILE, questions: [{ id: 'a', question: HOSTILE }] },
      ],
      ['error', { code: HOSTILE, message: HOSTILE }],
    );
    const html = htmlTranscript({ ...fold(events), title: HOSTILE, cwd: HOSTILE }, FACTS, ALL);
    expect(html).not.toMatch(/<script|<img|<iframe|<form|<link|<object/i);
    expect(html).not.toMatch(/href="(?!https?:|mailto:)/);
    expect(html).not.toMatch(/<[^>]* (?:on\w+|src|srcset|style)=/i);
    expect(html).toMatch(
      /http-equiv="Content-Security-Policy" content="default-src &#x27;none&#x27;; style-src/i,
    );
  });

  test('folds what is long, and opens what failed and short edits', () => {
    const html = htmlTranscript(fold(session('Fix it', ...EDIT)), { ...FACTS, sha256: 'abc' }, ALL);
    expect(html).toMatch(/<details open=""><summary>.*Edit/);
    expect(html).toContain('<span class="d">-a = 1</span><span class="a">+a = 2</span>');
    expect(html).toContain('abc');
  });

  test('shows pictures that came along', () => {
    const png = { type: 'image', mimeType: 'image/png', data: 'iVBORw0KGgo=' };
    const svg = { type: 'image', mimeType: 'image/svg+xml', data: 'iVBORw0KGgo=' };
    const events = session('x', [
      'message.completed',
      { messageId: 'm', text: '', content: [png, svg] },
    ]);
    const html = htmlTranscript(fold(events), FACTS, ALL);
    expect(html.match(/<img/g)).toHaveLength(1);
    expect(html).toContain('src="data:image/png;base64,iVBORw0KGgo="');
  });
});

describe('a range', () => {
  test('has its turns, what came late of them, and the session that they are of', () => {
    lastSeq = 0;
    const events = [
      event('session.created', { agent: 'a' }),
      event('turn.started', {}, 't1'),
      event('turn.ended', {}, 't1'),
      event('turn.started', {}, 't2'),
      event('tool.updated', { toolCallId: 'c', late: true }, 't1'),
      event('turn.ended', {}, 't2'),
      event('turn.diff', {}, 't2'),
      event('turn.started', {}, 't3'),
    ];
    const seqs = (from: number, to: number) =>
      eventsInRange(events, { from, to }).map((one) => one.seq);
    expect(seqs(0, 0)).toEqual([1, 2, 3, 5]);
    expect(seqs(1, 1)).toEqual([1, 4, 6, 7]);
    expect(seqs(0, 1)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(eventsInRange(events, null)).toBe(events);
  });

  test('what is in it is counted', () => {
    const { turns, shares, paths } = contentsOf(fold(session('Fix it', ...EDIT)));
    expect(turns).toBe(1);
    expect(shares.map(({ what, count }) => [what, count])).toEqual([
      ['prompts', 1],
      ['messages', 1],
      ['tools', 1],
      ['requests', 1],
    ]);
    expect(paths).toEqual(['/repo/a.py']);
  });
});
