/** Markdown of an agent. Blocks that did not change are not rendered again, and their DOM keeps its identity. */
import { memo, type ReactNode, useMemo, useRef } from 'react';
import { lexMarkdown, type MarkdownBlock, type MarkdownBlocks, NO_BLOCKS } from './blocks.ts';
import { blockElement, type MarkdownComponents, PLAIN_COMPONENTS } from './elements.tsx';

const KEPT_CHARS = 4_000_000;
const kept = new Map<string, MarkdownBlocks>();
let keptChars = 0;

export interface MarkdownProps {
  text: string;
  /** More of it may come. */
  streaming?: boolean;
  /** Under which its blocks are kept when it leaves the page, such as a row that scrolls away. */
  cacheKey?: string;
  components?: Partial<MarkdownComponents>;
  /** For text that is shown as it was written. */
  renderPlain?(block: MarkdownBlock): ReactNode;
}

export function Markdown({
  text,
  streaming = false,
  cacheKey,
  components,
  renderPlain,
}: MarkdownProps) {
  const blocks = useMarkdownBlocks(text, streaming, cacheKey);
  const parts = useMemo(() => ({ ...PLAIN_COMPONENTS, ...components }), [components]);
  return blocks.blocks.map((block, index) => (
    <Block
      // biome-ignore lint/suspicious/noArrayIndexKey: the place of a block is its identity
      key={index}
      block={block}
      components={parts}
      open={streaming && index === blocks.blocks.length - 1}
      renderPlain={renderPlain}
    />
  ));
}

/** The blocks of a text that grows; kept under `cacheKey` beyond the life of the component. */
export function useMarkdownBlocks(
  text: string,
  streaming: boolean,
  cacheKey?: string,
): MarkdownBlocks {
  // Only a memory of what was lexed: the same text gives equal blocks without it.
  const memory = useRef<MarkdownBlocks>(NO_BLOCKS);
  return useMemo(() => {
    const before = cacheKey === undefined ? memory.current : (kept.get(cacheKey) ?? memory.current);
    const blocks = lexMarkdown(text, streaming, before);
    memory.current = blocks;
    if (cacheKey !== undefined) keep(cacheKey, blocks);
    return blocks;
  }, [text, streaming, cacheKey]);
}

function keep(key: string, blocks: MarkdownBlocks): void {
  keptChars += blocks.source.length - (kept.get(key)?.source.length ?? 0);
  kept.delete(key);
  kept.set(key, blocks);
  for (const [oldest, old] of kept) {
    if (keptChars <= KEPT_CHARS || kept.size <= 1) break;
    kept.delete(oldest);
    keptChars -= old.source.length;
  }
}

const Block = memo(function Block({
  block,
  components,
  open,
  renderPlain,
}: {
  block: MarkdownBlock;
  components: MarkdownComponents;
  open: boolean;
  renderPlain: MarkdownProps['renderPlain'];
}) {
  if (block.token !== null) return blockElement(block.token, components, open);
  return renderPlain ? renderPlain(block) : <pre data-plain={block.plain}>{block.raw}</pre>;
});
