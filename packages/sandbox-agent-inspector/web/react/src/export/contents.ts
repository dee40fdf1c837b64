import type { FoldedTranscript } from 'sandbox-agent-client';

/** What an export has in it, for who is about to send it to somebody. Characters of JSON, which is near to bytes. */
export interface ContentShare {
  readonly what: 'prompts' | 'messages' | 'reasoning' | 'tools' | 'requests' | 'attachments';
  readonly count: number;
  readonly chars: number;
}

export interface Contents {
  readonly turns: number;
  readonly shares: readonly ContentShare[];
  /** Files that were read or changed, as the agent names them: what gives away most. */
  readonly paths: readonly string[];
}

export function contentsOf(transcript: FoldedTranscript): Contents {
  const shares = new Map<ContentShare['what'], { count: number; chars: number }>();
  const add = (what: ContentShare['what'], value: unknown) => {
    const share = shares.get(what) ?? { count: 0, chars: 0 };
    share.count += 1;
    share.chars += JSON.stringify(value)?.length ?? 0;
    shares.set(what, share);
  };
  const paths = new Set<string>();
  for (const turn of transcript.turns) {
    for (const block of turn.prompt ?? [])
      add(block.type === 'text' ? 'prompts' : 'attachments', block);
    for (const steered of turn.steered) add('prompts', steered);
    for (const item of turn.items ?? []) {
      switch (item.type) {
        case 'message':
        case 'reasoning':
          add(item.type === 'message' ? 'messages' : 'reasoning', item.text);
          for (const block of item.attachments ?? []) add('attachments', block);
          break;
        case 'tool':
          add('tools', item);
          for (const { path } of [...(item.locations ?? []), ...(item.diffs ?? [])])
            paths.add(path);
          break;
        case 'permission':
        case 'question':
        case 'hook':
        case 'host_tool':
          add('requests', item);
          break;
      }
    }
  }
  const order = ['prompts', 'messages', 'reasoning', 'tools', 'requests', 'attachments'] as const;
  return {
    turns: transcript.turns.filter((turn) => turn.id || turn.prompt).length,
    shares: order.flatMap((what) => {
      const share = shares.get(what);
      return share ? [{ what, ...share }] : [];
    }),
    paths: [...paths],
  };
}
