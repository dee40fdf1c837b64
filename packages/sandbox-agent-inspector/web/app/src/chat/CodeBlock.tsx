import { Check, Copy, WrapText } from 'lucide-react';
import { useMemo, useState } from 'react';
import type { CodeProps } from 'sandbox-agent-react';
import { languageOfName } from 'sandbox-agent-react/highlight';
import { CodeLineView, useHighlight } from '../highlight/index.ts';
import { useCopy } from '../shell/clipboard.ts';
import { Foreign, IconButton } from '../ui/index.ts';
import styles from './CodeBlock.module.css';

/** More lines than this are folded. */
const MOST_LINES = 400;

/** Plain at first; colours come for whole lines and stay. */
export function CodeBlock({ code, language, open }: CodeProps) {
  const [isCopied, copy] = useCopy();
  const [wraps, setWraps] = useState(false);
  const [isWhole, setWhole] = useState(false);
  const lines = useMemo(() => code.split('\n'), [code]);
  const isFolded = !isWhole && lines.length > MOST_LINES;
  const shown = isFolded ? lines.slice(0, MOST_LINES) : lines;
  return (
    <figure className={styles.block}>
      <figcaption className={styles.bar}>
        <Foreign className={styles.language} text={language || 'text'} maxChars={24} />
        <IconButton
          label={wraps ? 'Do not wrap lines' : 'Wrap lines'}
          size="small"
          aria-pressed={wraps}
          onPress={() => setWraps(!wraps)}
        >
          <WrapText />
        </IconButton>
        <IconButton
          label={isCopied ? 'Copied' : 'Copy code'}
          size="small"
          onPress={() => copy(code, 'Code')}
        >
          {isCopied ? <Check /> : <Copy />}
        </IconButton>
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keys */}
      <pre className={styles.code} data-wraps={wraps || undefined} tabIndex={0}>
        <HighlightedLines lines={shown} language={language} open={open} />
      </pre>
      {isFolded && (
        <button type="button" className={styles.more} onClick={() => setWhole(true)}>
          Show all {lines.length} lines
        </button>
      )}
    </figure>
  );
}

interface LinesProps {
  lines: readonly string[];
  language: string;
  open: boolean;
}

function HighlightedLines({ lines, language, open }: LinesProps) {
  // The last line of what is being written is no whole line yet.
  const whole = useMemo(() => (open ? lines.slice(0, -1) : lines).join('\n'), [lines, open]);
  const colored = useHighlight(whole, languageOfName(language));
  return (
    <code>
      {lines.map((line, index) => {
        const tokens = colored?.[index];
        const isSame = tokens !== undefined && tokens.map(({ text }) => text).join('') === line;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: the place of a line is its identity
          <span key={index}>
            <CodeLineView text={line} line={isSame ? tokens : undefined} />
            {index < lines.length - 1 && '\n'}
          </span>
        );
      })}
    </code>
  );
}
