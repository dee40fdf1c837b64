import type { CodeLine } from 'sandbox-agent-react/highlight';
import styles from './highlight.module.css';

/** A line, in colour where that is known. */
export function CodeLineView({ text, line }: { text: string; line: CodeLine | undefined }) {
  if (line === undefined) return text;
  return line.map(({ text: piece, kind }, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a line have no other name
    <span key={index} className={kind === null ? undefined : tokenClass(kind)}>
      {piece}
    </span>
  ));
}

/** The look of a word; undefined for what has none of its own. */
export function tokenClass(kind: string): string | undefined {
  return styles[LOOKS[kind] ?? ''];
}

const LOOKS: Readonly<Record<string, string>> = {
  addition: 'addition',
  attr: 'property',
  attribute: 'property',
  built_in: 'type',
  bullet: 'punctuation',
  class: 'type',
  code: 'string',
  comment: 'comment',
  deletion: 'deletion',
  doctag: 'comment',
  emphasis: 'emphasis',
  keyword: 'keyword',
  link: 'string',
  literal: 'number',
  meta: 'comment',
  name: 'keyword',
  number: 'number',
  operator: 'punctuation',
  property: 'property',
  punctuation: 'punctuation',
  quote: 'comment',
  regexp: 'string',
  section: 'title',
  'selector-class': 'property',
  'selector-id': 'property',
  'selector-tag': 'keyword',
  string: 'string',
  strong: 'strong',
  symbol: 'number',
  tag: 'punctuation',
  'template-tag': 'keyword',
  'template-variable': 'property',
  title: 'title',
  type: 'type',
  variable: 'property',
};
