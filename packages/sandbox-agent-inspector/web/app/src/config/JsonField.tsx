import { TextField } from '../ui/index.ts';

interface JsonFieldProps {
  value: string;
  onChange: (value: string) => void;
  error: string | null;
}

export function JsonField({ value, onChange, error }: JsonFieldProps) {
  return (
    <TextField
      label="JSON"
      value={value}
      onChange={onChange}
      error={error}
      rows={14}
      mono
      autoComplete="off"
    />
  );
}

/** An object of JSON, or why it is none. */
export function parsedObject(
  text: string,
): { value: Record<string, unknown> } | { problem: string } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { problem: 'It must be an object: { … }.' };
    return { value: value as Record<string, unknown> };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : 'This is no JSON.' };
  }
}
