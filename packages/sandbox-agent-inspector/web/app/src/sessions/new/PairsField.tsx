/** Names with values: an environment, metadata. */
import { Plus, X } from 'lucide-react';
import { Button, IconButton, TextField } from '../../ui/index.ts';
import type { FieldProblems, Pair } from './draft.ts';
import styles from './RowsField.module.css';
import { nextKey } from './row-keys.ts';

interface PairsFieldProps {
  /** Of the field in the problems: `env`. */
  field: string;
  label: string;
  description: string;
  add: string;
  pairs: readonly Pair[];
  problems: FieldProblems;
  isSecret?: boolean;
  onChange(pairs: readonly Pair[]): void;
}

export function PairsField({
  field,
  label,
  description,
  add,
  pairs,
  problems,
  isSecret = false,
  onChange,
}: PairsFieldProps) {
  const edit = (index: number, change: Partial<Pair>) =>
    onChange(pairs.map((each, at) => (at === index ? { ...each, ...change } : each)));
  return (
    <fieldset className={styles.rows}>
      <legend>{label}</legend>
      <p className={styles.description}>{description}</p>
      {pairs.map((pair, index) => (
        <div key={pair.key} className={styles.row}>
          <TextField
            className={styles.narrow ?? ''}
            label={`Name ${index + 1}`}
            hideLabel
            placeholder="NAME"
            value={pair.name}
            onChange={(name) => edit(index, { name })}
            error={problems[`${field}.${index}`] ?? null}
            mono
          />
          <TextField
            className={styles.wide ?? ''}
            label={`Value ${index + 1}`}
            hideLabel
            placeholder="value"
            value={pair.value}
            onChange={(value) => edit(index, { value })}
            type={isSecret ? 'password' : 'text'}
            autoComplete="off"
            mono
          />
          <IconButton
            label={`Remove ${pair.name || `row ${index + 1}`}`}
            onPress={() => onChange(pairs.filter((each) => each !== pair))}
          >
            <X size={16} />
          </IconButton>
        </div>
      ))}
      {problems[field] ? (
        <p className={styles.problem} role="alert">
          {problems[field]}
        </p>
      ) : null}
      <Button
        size="small"
        look="quiet"
        icon={<Plus size={14} aria-hidden />}
        onPress={() => onChange([...pairs, { key: nextKey(), name: '', value: '' }])}
      >
        {add}
      </Button>
    </fieldset>
  );
}
