/** Code with its words told apart. Large: load it where it does not delay the first picture, such as in a worker. */
import { common, createLowlight } from 'lowlight';

export { languageOfName, languageOfPath } from './languages.ts';

/** A piece of a line and what it is: the names of highlight.js, `keyword`, `string`, `comment`, … */
export interface CodeToken {
  readonly text: string;
  readonly kind: string | null;
}

export type CodeLine = readonly CodeToken[];

/** Longer than this it takes too long, and nobody reads it. */
export const MAX_HIGHLIGHTED_CHARS = 500_000;

const lowlight = createLowlight(common);

type Node = ReturnType<typeof lowlight.highlight>['children'][number];

/** null: the language is not known, or the code is too long. */
export function highlightLines(code: string, language: string): CodeLine[] | null {
  if (code.length > MAX_HIGHLIGHTED_CHARS || !lowlight.registered(language)) return null;
  const lines: CodeToken[][] = [[]];
  const walk = (nodes: readonly Node[], kind: string | null) => {
    for (const node of nodes) {
      if (node.type === 'text') add(lines, node.value, kind);
      else if (node.type === 'element')
        walk(node.children as readonly Node[], kindOf(node) ?? kind);
    }
  };
  walk(lowlight.highlight(language, code).children, null);
  return lines;
}

function kindOf(node: Extract<Node, { type: 'element' }>): string | null {
  const names = node.properties.className;
  const first = Array.isArray(names) ? names[0] : names;
  return typeof first === 'string' ? first.replace(/^hljs-/, '') : null;
}

function add(lines: CodeToken[][], text: string, kind: string | null): void {
  text.split('\n').forEach((piece, index) => {
    if (index > 0) lines.push([]);
    if (piece !== '') lines.at(-1)?.push({ text: piece, kind });
  });
}
