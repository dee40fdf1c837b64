export { type CommandOutput, commandOutput } from './command-output.ts';
export {
  commandOf,
  type DescribeOptions,
  describeTool,
  directoryOf,
  liveLine,
  type ObjectKind,
  pathsOf,
  type ToolSummary,
} from './describe.ts';
export { type Disclosure, Disclosures, useDisclosure } from './disclosures.ts';
export { formatBytes, formatCount, formatDuration, formatElapsed } from './format.ts';
export {
  childrenOf,
  type Grouped,
  groupQuiet,
  isGroup,
  parentOf,
  quietSummary,
} from './grouping.ts';
export { decodedSize, type ImageHeader, imageHeader } from './image-size.ts';
export { type ToolSort, toolSort } from './kinds.ts';
export { type FoundLink, linksIn } from './links.ts';
export { type NumberedCode, numberedCode } from './numbered.ts';
export { type AskedQuestion, type ToolPart, toolParts } from './parts.ts';
export { absolutePath, type ContentBlock, type Item, relativePath } from './shapes.ts';
export { askedAbout, isActive, type ToolState, toolState } from './state.ts';
export { type Todo, type TodoStatus, todosOf } from './todos.ts';
export { useLocalNow, useNow } from './useNow.ts';
