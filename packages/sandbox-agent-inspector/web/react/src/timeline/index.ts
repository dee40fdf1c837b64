export {
  type Axis,
  type AxisWindow,
  axisOf,
  durationLabel,
  offsetLabel,
  positionOf,
  ticksOf,
  windowAround,
} from './axis.ts';
export { type CurlRequest, curlCommand, shellQuoted } from './curl.ts';
export type { EventLike } from './event.ts';
export {
  filterRows,
  NO_FILTER,
  type TimelineFilter,
  type TypeGroup,
  toggled,
  typeGroups,
} from './filter.ts';
export { frameEvent, tellFrame } from './frames.ts';
export {
  initialView,
  type JsonRow,
  type JsonView,
  jsonRows,
  STRING_CUT,
  withMore,
  withToggled,
} from './json.ts';
export {
  keyOfItem,
  type RowOptions,
  type RowState,
  rowOfSeq,
  type TimelineRow,
  TimelineRows,
} from './rows.ts';
export {
  type Highlight,
  hoverStore,
  isHighlighted,
  selectionStore,
  useIsHovered,
  useSelected,
} from './selection.ts';
export { eventOfSeq, type LogPage, type LogSource, PagedSource, placeOfSeq } from './source.ts';
export { type FixedRows, useFixedRows } from './useFixedRows.ts';
export { type TimelineView, useTimelineRows } from './useTimelineRows.ts';
