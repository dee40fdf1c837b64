import { renderToStaticMarkup } from 'react-dom/server';
import type { FoldedTranscript } from 'sandbox-agent-client';
import { foreign } from '../foreign.ts';
import { type ExportFacts, type ExportOptions, titleOf, utc } from './facts.ts';
import { Name } from './parts.tsx';
import { SHEET } from './sheet.ts';
import { TurnSection } from './turn.tsx';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** A session as one file that opens anywhere: no script, nothing that is loaded, both themes, and paper. */
export function htmlTranscript(
  transcript: FoldedTranscript,
  facts: ExportFacts,
  options: ExportOptions,
): string {
  const title = foreign(titleOf(transcript));
  const first = facts.part?.from ?? 1;
  // Turn by turn: one tree of all would be held as a whole.
  const turns = transcript.turns.map((turn, index) =>
    renderToStaticMarkup(
      <TurnSection turn={turn} number={first + index} cwd={transcript.cwd} options={options} />,
    ),
  );
  const head = renderToStaticMarkup(
    <head>
      <meta charSet="utf-8" />
      <meta httpEquiv="Content-Security-Policy" content={POLICY} />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="referrer" content="no-referrer" />
      <meta name="color-scheme" content="light dark" />
      <title>{title}</title>
    </head>,
  );
  return [
    `<!doctype html>\n<html lang="en">`,
    head.replace('</head>', `<style>${SHEET}</style></head>`),
    '<body>',
    renderToStaticMarkup(<Head transcript={transcript} facts={facts} title={title} />),
    `<main>${turns.join('\n')}</main>`,
    renderToStaticMarkup(<Foot facts={facts} />),
    '</body>\n</html>\n',
  ].join('\n');
}

interface HeadProps {
  transcript: FoldedTranscript;
  facts: ExportFacts;
  title: string;
}

function Head({ transcript, facts, title }: HeadProps) {
  const { agent, model, cwd, sessionId, turns } = transcript;
  const rows: [string, string | null | undefined][] = [
    ['Agent', agent],
    ['Model', model],
    ['Folder', cwd],
    ['Session', sessionId],
    ['Began', utc(turns[0]?.startedAt)],
    ['Turns', facts.part && `${facts.part.from} to ${facts.part.to} of ${facts.part.turns}`],
  ];
  return (
    <header>
      <h1>
        <Name text={title} maxChars={200} />
      </h1>
      <dl className="facts">
        {rows.map(([name, value]) =>
          value
            ? [
                <dt key={name}>{name}</dt>,
                <dd key={`${name}=`}>
                  <Name text={value} />
                </dd>,
              ]
            : null,
        )}
      </dl>
    </header>
  );
}

function Foot({ facts }: { facts: ExportFacts }) {
  return (
    <footer>
      Exported {utc(facts.exportedAt)} by sandbox-agent {facts.version} from {facts.events} events.
      {facts.sha256 && (
        <>
          <br />
          SHA-256 of its JSON lines: <code>{facts.sha256}</code>
        </>
      )}
    </footer>
  );
}
