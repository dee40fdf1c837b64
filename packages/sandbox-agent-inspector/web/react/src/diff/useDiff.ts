/** The state of a diff that is looked at: its rows, what of it is opened, and where one stands in it. */
import { useCallback, useMemo, useState } from 'react';
import { changedLines, type FileDiff } from './model.ts';
import {
  changeCount,
  type DiffRow,
  diffRows,
  type Opened,
  type SplitRow,
  splitRows,
} from './rows.ts';
import { withoutWhitespaceChanges } from './whitespace.ts';

/** More changed lines than this are shown when somebody asks for them. */
const GATE_LINES = 2000;
/** A small fold opens whole, a large one in steps. */
export const FOLD_STEP = 20;

export interface UseDiffOptions {
  readonly mode?: 'unified' | 'split';
  readonly ignoreWhitespace?: boolean;
}

export interface DiffState {
  readonly file: FileDiff;
  readonly rows: readonly (DiffRow | SplitRow)[];
  readonly changes: number;
  /** So many lines changed that they wait for `openGate`. */
  readonly isGated: boolean;
  readonly openGate: () => void;
  /** Show hidden lines of a fold: the next ones from its top or bottom, or all. */
  readonly openFold: (id: string, where: 'top' | 'bottom' | 'all') => void;
}

const NOTHING: Opened = new Map();

export function useDiff(file: FileDiff, options: UseDiffOptions = {}): DiffState {
  const { mode = 'unified', ignoreWhitespace = false } = options;
  const [opened, setOpened] = useState<Opened>(NOTHING);
  const [isPassed, setPassed] = useState(false);
  const shown = useMemo(
    () => (ignoreWhitespace ? withoutWhitespaceChanges(file) : file),
    [file, ignoreWhitespace],
  );
  const isGated = !isPassed && changedLines(file) > GATE_LINES;
  const unified = useMemo(() => (isGated ? [] : diffRows(shown, opened)), [shown, opened, isGated]);
  const rows = useMemo(() => (mode === 'split' ? splitRows(unified) : unified), [mode, unified]);
  const changes = useMemo(() => changeCount(unified), [unified]);
  const openFold = useCallback((id: string, where: 'top' | 'bottom' | 'all') => {
    setOpened((before) => {
      const open = before.get(id) ?? { top: 0, bottom: 0 };
      const next = {
        top: where === 'top' ? open.top + FOLD_STEP : where === 'all' ? Infinity : open.top,
        bottom: where === 'bottom' ? open.bottom + FOLD_STEP : open.bottom,
      };
      return new Map(before).set(id, next);
    });
  }, []);
  const openGate = useCallback(() => setPassed(true), []);
  return { file: shown, rows, changes, isGated, openGate, openFold };
}
