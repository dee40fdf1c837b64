/** Code that does what the dialog does, to copy. */
import { Copy } from 'lucide-react';
import { useState } from 'react';
import { copyText } from '../shell/clipboard.ts';
import { IconButton, Tabs } from '../ui/index.ts';
import styles from './CodeSamples.module.css';
import type { CodeSample } from './samples.ts';

export function CodeSamples({ samples }: { samples: readonly CodeSample[] }) {
  const [selected, setSelected] = useState<string>(samples[0]?.id ?? '');
  const current = samples.find((each) => each.id === selected);
  return (
    <Tabs
      label="The same from code"
      className={styles.samples ?? ''}
      selected={selected}
      onSelect={setSelected}
      actions={
        <IconButton
          label={`Copy as ${current?.label ?? 'code'}`}
          size="small"
          onPress={() => current && void copyText(current.code, current.label)}
        >
          <Copy size={16} />
        </IconButton>
      }
      tabs={samples.map((sample) => ({
        id: sample.id,
        label: sample.label,
        content: (
          <>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, also by keys */}
            <pre className={styles.code} tabIndex={0}>
              {sample.code}
            </pre>
            {sample.note ? <p className={styles.note}>{sample.note}</p> : null}
          </>
        ),
      }))}
    />
  );
}
