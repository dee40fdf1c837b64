/**
 * A message as a list of blocks. While it streams, all but its last two are frozen: they keep their identity, and only
 * what follows them is lexed again.
 */
import { Lexer, type Token } from 'marked';
import { MAX_TAIL_CHARS, type PlainReason, plainReason } from './limits.ts';
import { repairTail } from './repair.ts';

export interface MarkdownBlock {
  /** Text as it was written; of the tail of a stream, as it is shown. */
  readonly raw: string;
  /** Null: shown as it was written. */
  readonly token: Token | null;
  readonly plain: PlainReason | null;
}

export interface MarkdownBlocks {
  readonly source: string;
  readonly streaming: boolean;
  readonly blocks: readonly MarkdownBlock[];
  /** How many of the blocks will not change any more, and how long the text is that they are made of. */
  readonly frozen: number;
  readonly frozenChars: number;
}

export const NO_BLOCKS: MarkdownBlocks = {
  source: '',
  streaming: true,
  blocks: [],
  frozen: 0,
  frozenChars: 0,
};

const DEFINITION = /^ {0,3}\[[^\]\n]{1,999}\]:/m;
const LIVE_BLOCKS = 2;

/** The blocks of `source`, with those of `before` kept where they are the same. */
export function lexMarkdown(
  source: string,
  streaming: boolean,
  before: MarkdownBlocks = NO_BLOCKS,
): MarkdownBlocks {
  if (before.source === source && before.streaming === streaming) return before;
  return streaming ? lexStream(source, before) : lexWhole(source, before);
}

function lexStream(source: string, before: MarkdownBlocks): MarkdownBlocks {
  const goesOn = before.streaming && source.startsWith(before.source.slice(0, before.frozenChars));
  const kept = goesOn ? before.blocks.slice(0, before.frozen) : [];
  const from = goesOn ? before.frozenChars : 0;
  const tail = source.slice(from);
  const isLong = tail.length > MAX_TAIL_CHARS && !/^ {0,3}(```|~~~)/.test(tail);
  const reason = isLong ? 'too long' : plainReason(tail);
  if (reason !== null) {
    const blocks = reuse([...kept, plainBlock(tail, reason)], before.blocks);
    return { source, streaming: true, blocks, frozen: kept.length, frozenChars: from };
  }
  const tokens = lex(tail);
  const solid = tokens.filter(isShown);
  let frozen = kept.length;
  let chars = from;
  if (solid.length > LIVE_BLOCKS) {
    const firstLive = tokens.indexOf(solid[solid.length - LIVE_BLOCKS] as Token);
    for (const token of tokens.slice(0, firstLive)) chars += token.raw.length;
    frozen += solid.length - LIVE_BLOCKS;
  }
  const ready = solid.slice(0, Math.max(0, solid.length - LIVE_BLOCKS)).map(blockOf);
  const live = lex(repairTail(source.slice(chars)))
    .filter(isShown)
    .map(blockOf);
  const blocks = reuse([...kept, ...ready, ...live], before.blocks);
  return { source, streaming: true, blocks, frozen, frozenChars: chars };
}

function lexWhole(source: string, before: MarkdownBlocks): MarkdownBlocks {
  const reason = plainReason(source);
  const lexed =
    reason === null ? lex(source).filter(isShown).map(blockOf) : [plainBlock(source, reason)];
  // A reference resolves by what stands elsewhere, so equal text is no equal block then.
  const blocks = DEFINITION.test(source) ? lexed : reuse(lexed, before.blocks);
  return { source, streaming: false, blocks, frozen: blocks.length, frozenChars: source.length };
}

function reuse(
  blocks: readonly MarkdownBlock[],
  before: readonly MarkdownBlock[],
): readonly MarkdownBlock[] {
  return blocks.map((block, index) => {
    const old = before[index];
    return old && old.raw.trimEnd() === block.raw.trimEnd() && old.token?.type === block.token?.type
      ? old
      : block;
  });
}

function lex(text: string): Token[] {
  return new Lexer({ gfm: true }).lex(text);
}

function isShown(token: Token): boolean {
  return token.type !== 'space' && token.type !== 'def';
}

function blockOf(token: Token): MarkdownBlock {
  return { raw: token.raw, token, plain: null };
}

function plainBlock(raw: string, plain: PlainReason): MarkdownBlock {
  return { raw, token: null, plain };
}
