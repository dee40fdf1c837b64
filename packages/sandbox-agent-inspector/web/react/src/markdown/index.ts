export {
  lexMarkdown,
  type MarkdownBlock,
  type MarkdownBlocks,
} from './blocks.ts';
export type { CodeProps, ImageProps, LinkProps, MarkdownComponents } from './elements.tsx';
export { hostToShow, type LinkTarget, linkTarget } from './links.ts';
export { Markdown, type MarkdownProps, useMarkdownBlocks } from './Markdown.tsx';
