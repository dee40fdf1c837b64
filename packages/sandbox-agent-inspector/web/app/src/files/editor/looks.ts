import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

const surface = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--bg)', color: 'var(--text)', font: 'var(--code)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { font: 'var(--code)', scrollbarWidth: 'thin' },
  '.cm-content': { caretColor: 'var(--accent)', padding: '8px 0' },
  '.cm-line': { padding: '0 12px 0 8px' },
  '.cm-gutters': { backgroundColor: 'var(--bg)', color: 'var(--faint)', border: 'none' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 8px 0 12px', minWidth: '36px' },
  '.cm-activeLine': { backgroundColor: 'var(--hover)' },
  '.cm-activeLineGutter': { backgroundColor: 'var(--hover)', color: 'var(--muted)' },
  '.cm-cursor': { borderLeftColor: 'var(--accent)', borderLeftWidth: '2px' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground':
    { backgroundColor: 'color-mix(in srgb, var(--accent) 30%, transparent)' },
  '.cm-linked': { backgroundColor: 'var(--selected)' },
  '.cm-searchMatch': { backgroundColor: 'var(--word-add)', color: 'var(--word-add-text)' },
  '.cm-searchMatch-selected': { outline: '1px solid var(--focus)' },
  '.cm-selectionMatch': { backgroundColor: 'color-mix(in srgb, var(--control) 25%, transparent)' },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': {
    backgroundColor: 'color-mix(in srgb, var(--control) 30%, transparent)',
    outline: 'none',
  },
  '.cm-specialChar': { color: 'var(--err)' },
  '.cm-foldPlaceholder': {
    backgroundColor: 'var(--s2)',
    border: 'none',
    color: 'var(--muted)',
    padding: '0 6px',
  },
  '.cm-panels': {
    backgroundColor: 'var(--s1)',
    color: 'var(--text)',
    borderTop: '1px solid var(--line)',
    font: 'var(--list)',
  },
  '.cm-panel.cm-search': { padding: '8px 32px 8px 12px' },
  '.cm-panel.cm-search label': { font: 'var(--list)', color: 'var(--muted)' },
  '.cm-textfield': {
    backgroundColor: 'var(--bg)',
    border: '1px solid var(--control)',
    borderRadius: '6px',
    padding: '3px 8px',
    font: 'var(--list)',
  },
  '.cm-button': {
    backgroundImage: 'none',
    backgroundColor: 'var(--s2)',
    border: '1px solid var(--line)',
    borderRadius: '6px',
    padding: '3px 10px',
    font: 'var(--list)',
  },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: 'var(--info)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--ok)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'var(--accent)' },
  { tag: [tags.comment, tags.meta], color: 'var(--faint)', fontStyle: 'italic' },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.propertyName)],
    color: 'var(--accent)',
  },
  { tag: [tags.definition(tags.variableName), tags.propertyName], color: 'var(--text)' },
  { tag: [tags.typeName, tags.className, tags.namespace], color: 'var(--accent)' },
  { tag: [tags.tagName, tags.attributeName], color: 'var(--info)' },
  { tag: tags.heading, color: 'var(--text)', fontWeight: '600' },
  { tag: tags.strong, fontWeight: '600' },
  { tag: tags.emphasis, fontStyle: 'italic' },
  { tag: [tags.link, tags.url], color: 'var(--accent)', textDecoration: 'underline' },
  { tag: tags.invalid, color: 'var(--err)' },
]);

/** All colours are tokens, so that a change of the theme needs nothing here. */
export const looks: Extension = [surface, syntaxHighlighting(colours)];
