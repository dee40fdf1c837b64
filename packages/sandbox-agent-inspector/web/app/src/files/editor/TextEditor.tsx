import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import {
  bracketMatching,
  codeFolding,
  foldGutter,
  foldKeymap,
  indentOnInput,
} from '@codemirror/language';
import {
  highlightSelectionMatches,
  openSearchPanel,
  search,
  searchKeymap,
} from '@codemirror/search';
import { Compartment, EditorState, StateEffect, StateField } from '@codemirror/state';
import {
  Decoration,
  type DecorationSet,
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { useEffect, useRef } from 'react';
import { type LineRange, pageNonce } from 'sandbox-agent-react';
import { languageOf } from './languages.ts';
import { looks } from './looks.ts';

export interface TextEditorProps {
  path: string;
  label: string;
  text: string;
  /** With another one `text` replaces what is there. */
  revision: number;
  lineSeparator: '\n' | '\r\n';
  isReadOnly: boolean;
  wraps: boolean;
  lines: LineRange | null;
  className?: string;
  onChange: (text: string) => void;
  onSave: () => void;
  onSelectLines: (lines: LineRange) => void;
}

/** Unicode that is not what it looks like: shown as its number. */
const DECEPTIVE =
  /[\u061c\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;
/** A line longer than this is wrapped and not coloured, else the page stands still. */
const LONG_TEXT = 500_000;

const setLinked = StateEffect.define<LineRange | null>();
const linked = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    let next = marks.map(transaction.changes);
    for (const effect of transaction.effects)
      if (effect.is(setLinked))
        next = effect.value ? marksOf(transaction.state, effect.value) : Decoration.none;
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

function marksOf(state: EditorState, lines: LineRange): DecorationSet {
  const marks = [];
  for (let line = lines.from; line <= Math.min(lines.to, state.doc.lines); line++)
    marks.push(Decoration.line({ class: 'cm-linked' }).range(state.doc.line(line).from));
  return Decoration.set(marks);
}

/** CodeMirror with our looks. Lazy: it is as large as all the rest of the first page. */
export default function TextEditor({
  path,
  label,
  text,
  revision,
  lineSeparator,
  isReadOnly,
  wraps,
  lines,
  className,
  onChange,
  onSave,
  onSelectLines,
}: TextEditorProps) {
  const element = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const parts = useRef({ wrapping: new Compartment(), editing: new Compartment() });
  const latest = useRef({ onChange, onSave, onSelectLines });
  const shownRevision = useRef(revision);
  useEffect(() => {
    latest.current = { onChange, onSave, onSelectLines };
  });

  // biome-ignore lint/correctness/useExhaustiveDependencies: an editor is made for a file; what changes in it is set below
  useEffect(() => {
    if (!element.current) return;
    const nonce = pageNonce();
    const language = new Compartment();
    const { wrapping, editing } = parts.current;
    const editor = new EditorView({
      parent: element.current,
      state: EditorState.create({
        doc: text,
        extensions: [
          nonce === undefined ? [] : EditorView.cspNonce.of(nonce),
          EditorState.lineSeparator.of(lineSeparator),
          EditorState.tabSize.of(4),
          lineNumbers({
            domEventHandlers: {
              mousedown(target, block, event) {
                const line = target.state.doc.lineAt(block.from).number;
                const anchor = target.state.doc.lineAt(target.state.selection.main.anchor).number;
                const isRange = event instanceof MouseEvent && event.shiftKey;
                latest.current.onSelectLines(
                  isRange
                    ? { from: Math.min(line, anchor), to: Math.max(line, anchor) }
                    : { from: line, to: line },
                );
                return false;
              },
            },
          }),
          foldGutter({ openText: '⌄', closedText: '›' }),
          codeFolding(),
          highlightActiveLineGutter(),
          highlightSpecialChars({ addSpecialChars: DECEPTIVE }),
          highlightActiveLine(),
          highlightSelectionMatches(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          history(),
          search({ top: false }),
          linked,
          keymap.of([
            {
              key: 'Mod-s',
              preventDefault: true,
              run: () => {
                latest.current.onSave();
                return true;
              },
            },
            // Tab indents; after Escape it moves on, so that the keyboard gets out.
            indentWithTab,
            ...defaultKeymap,
            ...searchKeymap,
            ...historyKeymap,
            ...foldKeymap,
          ]),
          EditorView.contentAttributes.of({ 'aria-label': label }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged && !update.transactions.some((one) => one.isUserEvent('disk')))
              latest.current.onChange(update.state.sliceDoc());
          }),
          wrapping.of(wraps ? EditorView.lineWrapping : []),
          editing.of(EditorState.readOnly.of(isReadOnly)),
          language.of([]),
          looks,
        ],
      }),
    });
    view.current = editor;
    shownRevision.current = revision;
    let isGone = false;
    if (text.length < LONG_TEXT)
      languageOf(path)
        .then((support) => {
          if (support && !isGone) editor.dispatch({ effects: language.reconfigure(support) });
        })
        .catch(() => undefined);
    return () => {
      isGone = true;
      editor.destroy();
      view.current = null;
    };
  }, [path, lineSeparator]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: only another revision replaces the text
  useEffect(() => {
    const editor = view.current;
    if (!editor || shownRevision.current === revision) return;
    shownRevision.current = revision;
    if (editor.state.sliceDoc() === text) return;
    editor.dispatch({
      changes: { from: 0, to: editor.state.doc.length, insert: text },
      userEvent: 'disk',
    });
  }, [revision]);

  useEffect(() => {
    const { wrapping, editing } = parts.current;
    view.current?.dispatch({
      effects: [
        wrapping.reconfigure(wraps ? EditorView.lineWrapping : []),
        editing.reconfigure(EditorState.readOnly.of(isReadOnly)),
      ],
    });
  }, [wraps, isReadOnly]);

  const from = lines?.from;
  const to = lines?.to;
  // biome-ignore lint/correctness/useExhaustiveDependencies: lines are for the file that is shown
  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const range = from === undefined || to === undefined ? null : { from, to };
    editor.dispatch({ effects: setLinked.of(range) });
    if (range) {
      const { doc } = editor.state;
      const at = doc.line(Math.min(range.from, doc.lines)).from;
      editor.dispatch({
        selection: { anchor: at },
        effects: EditorView.scrollIntoView(at, { y: 'center' }),
      });
    }
  }, [from, to, path]);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the editor in it is what has the focus
    <div
      ref={element}
      className={className}
      onKeyDown={(event) => {
        if ((event.ctrlKey || event.metaKey) && event.key === 'f' && view.current) {
          event.preventDefault();
          event.stopPropagation();
          openSearchPanel(view.current);
        }
      }}
    />
  );
}
