export {
  DiffTable,
  type DiffTableProps,
  markedPieces,
  type RenderCode,
  WINDOWED_ROWS,
} from './DiffTable.tsx';
export {
  changedLines,
  type DiffHunk,
  type DiffLine,
  type FileDiff,
  type FileStatus,
  type LineEnding,
  type LineKind,
} from './model.ts';
export { fileDiffsOf, fileDiffsOfPatch } from './patch.ts';
export {
  changeCount,
  type DiffRow,
  diffRows,
  type FoldRow,
  type LineRow,
  type Opened,
  type PairRow,
  type SplitRow,
  splitRows,
} from './rows.ts';
export { fileDiffOf, fileDiffOfTexts } from './texts.ts';
export { type DiffState, type UseDiffOptions, useDiff } from './useDiff.ts';
export { withoutWhitespaceChanges } from './whitespace.ts';
export { type Mark, type WordMarks, wordMarks } from './words.ts';
