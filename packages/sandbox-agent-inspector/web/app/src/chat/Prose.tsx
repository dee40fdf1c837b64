/** What an agent wrote, as markdown with our looks. */
import { ImageOff } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import {
  type ImageProps,
  Markdown,
  type MarkdownBlock,
  type MarkdownComponents,
} from 'sandbox-agent-react';
import { Button, Foreign } from '../ui/index.ts';
import { CodeBlock } from './CodeBlock.tsx';
import { followLink, SafeLink } from './links.tsx';
import styles from './Prose.module.css';

const MAX_IMAGE_CHARS = Math.ceil((10 * 1024 * 1024 * 4) / 3);
const PLAIN_CHARS = 20_000;
const DATA_IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/;

const COMPONENTS: MarkdownComponents = {
  Code: CodeBlock,
  Link: SafeLink,
  Image: SafeImage,
  Table: ({ children }: { children: ReactNode }) => (
    // A region that scrolls has to be reached by keys.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: see above
    <section className={styles.table} tabIndex={0} aria-label="Table">
      <table>{children}</table>
    </section>
  ),
};

interface ProseProps {
  text: string;
  streaming?: boolean;
  cacheKey?: string;
  className?: string;
}

export function Prose({ text, streaming = false, cacheKey, className = '' }: ProseProps) {
  return (
    <div className={`${styles.prose} ${className}`} data-streaming={streaming || undefined}>
      <Markdown
        text={text}
        streaming={streaming}
        cacheKey={cacheKey}
        components={COMPONENTS}
        renderPlain={renderPlain}
      />
    </div>
  );
}

function renderPlain(block: MarkdownBlock): ReactNode {
  return <PlainText text={block.raw} />;
}

/** As it was written; of what is very long the beginning, until somebody wants all. */
export function PlainText({ text }: { text: string }) {
  const [isWhole, setWhole] = useState(false);
  const isLong = text.length > PLAIN_CHARS;
  return (
    <div className={styles.plain}>
      <p>{isLong && !isWhole ? `${text.slice(0, PLAIN_CHARS)}…` : text}</p>
      {isLong && (
        <Button size="small" onPress={() => setWhole(!isWhole)}>
          {isWhole ? 'Show less' : `Show all ${Math.round(text.length / 1000)} kB`}
        </Button>
      )}
    </div>
  );
}

/** Pictures come with the message or not at all: a remote one would tell somebody that, and what, we read. */
function SafeImage({ src, alt }: ImageProps) {
  if (DATA_IMAGE.test(src) && src.length <= MAX_IMAGE_CHARS) {
    return <img className={styles.image} src={src} alt={alt} decoding="async" />;
  }
  const url = /^https?:\/\//i.test(src) && URL.canParse(src) ? new URL(src) : null;
  return (
    <span className={styles.chip}>
      <ImageOff aria-hidden />
      {alt && <Foreign text={alt} maxChars={60} />}
      <span className={styles.chipWhy}>
        {url ? `image from ${url.host}, not loaded` : 'image, not shown'}
      </span>
      {url && (
        <Button
          size="small"
          look="quiet"
          onPress={() => followLink({ kind: 'web', href: url.href, host: url.host })}
        >
          Open
        </Button>
      )}
    </span>
  );
}
