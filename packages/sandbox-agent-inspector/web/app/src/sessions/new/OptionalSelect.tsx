/** A choice that may be left alone. */
import type { ReactNode } from 'react';
import { type Option, Select } from '../../ui/index.ts';

/** Of no option: those are what agents and the API call theirs. */
const NONE = ' none';

interface OptionalSelectProps {
  label: string;
  /** What it is when nothing is chosen. */
  none: string;
  value: string;
  options: readonly Option[];
  description?: ReactNode;
  error?: string | null;
  onChange(value: string): void;
}

export function OptionalSelect({ none, value, options, onChange, ...rest }: OptionalSelectProps) {
  // A value that is not offered (any more) is shown, not dropped in silence.
  const isOffered = value === '' || options.some((each) => each.id === value);
  return (
    <Select
      {...rest}
      value={value === '' ? NONE : value}
      onChange={(id) => onChange(id === NONE ? '' : id)}
      options={[
        { id: NONE, label: none },
        ...options,
        ...(isOffered ? [] : [{ id: value, label: value, description: 'Not among those offered' }]),
      ]}
    />
  );
}
