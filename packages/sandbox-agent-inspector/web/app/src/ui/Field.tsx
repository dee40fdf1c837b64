import { ChevronDown, Search, X } from 'lucide-react';
import type { ReactNode, Ref } from 'react';
import {
  SearchField as AriaSearchField,
  Select as AriaSelect,
  Switch as AriaSwitch,
  TextField as AriaTextField,
  Button,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  SelectValue,
  Text,
  TextArea,
} from 'react-aria-components';
import styles from './Field.module.css';

interface Described {
  label: string;
  /** The label is read but not shown: the place says it already. */
  hideLabel?: boolean;
  description?: ReactNode;
  /** Why the value cannot be taken. */
  error?: string | null;
  isDisabled?: boolean;
  className?: string;
}

interface TextFieldProps extends Described {
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  type?: 'text' | 'password' | 'url' | 'number';
  /** With more than one line. */
  rows?: number;
  mono?: boolean;
  isRequired?: boolean;
  autoFocus?: boolean;
  autoComplete?: string;
  maxLength?: number;
  onKeyDown?: (event: React.KeyboardEvent) => void;
  onBlur?: () => void;
  inputRef?: Ref<HTMLInputElement & HTMLTextAreaElement>;
}

export function TextField({
  label,
  hideLabel,
  description,
  error,
  placeholder,
  rows,
  mono,
  inputRef,
  className = '',
  onKeyDown,
  type = 'text',
  ...rest
}: TextFieldProps) {
  const shared = {
    ref: inputRef,
    placeholder,
    className: styles.input,
    'data-mono': mono || undefined,
    spellCheck: !mono,
    onKeyDown,
  };
  return (
    <AriaTextField
      {...rest}
      type={type}
      isInvalid={Boolean(error)}
      aria-label={hideLabel ? label : undefined}
      className={`${styles.field} ${className}`}
    >
      {!hideLabel && <Label className={styles.label}>{label}</Label>}
      {rows === undefined ? <Input {...shared} /> : <TextArea {...shared} rows={rows} />}
      <Below description={description} error={error} />
    </AriaTextField>
  );
}

function Below({ description, error }: Pick<Described, 'description' | 'error'>) {
  return (
    <>
      {error && <FieldError className={styles.error}>{error}</FieldError>}
      {description && (
        <Text slot="description" className={styles.description}>
          {description}
        </Text>
      )}
    </>
  );
}

interface SearchFieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  shortcut?: ReactNode;
  autoFocus?: boolean;
  onKeyDown?: (event: React.KeyboardEvent) => void;
  inputRef?: Ref<HTMLInputElement>;
  className?: string;
}

export function SearchField({
  label,
  placeholder,
  shortcut,
  inputRef,
  onKeyDown,
  className = '',
  ...rest
}: SearchFieldProps) {
  return (
    <AriaSearchField {...rest} aria-label={label} className={`${styles.search} ${className}`}>
      <Search aria-hidden className={styles.glass} />
      <Input
        ref={inputRef}
        placeholder={placeholder ?? label}
        className={styles.input}
        onKeyDown={onKeyDown}
      />
      {rest.value === '' ? (
        <span className={styles.trailing}>{shortcut}</span>
      ) : (
        <Button className={styles.clear}>
          <X />
        </Button>
      )}
    </AriaSearchField>
  );
}

export interface Option {
  id: string;
  label: string;
  description?: string;
}

interface SelectProps extends Described {
  value: string | null;
  onChange: (id: string) => void;
  options: readonly Option[];
  placeholder?: string;
}

export function Select({
  label,
  hideLabel,
  description,
  error,
  value,
  onChange,
  options,
  placeholder,
  className = '',
  ...rest
}: SelectProps) {
  return (
    <AriaSelect
      {...rest}
      selectedKey={value}
      onSelectionChange={(key) => key !== null && onChange(String(key))}
      placeholder={placeholder}
      isInvalid={Boolean(error)}
      aria-label={hideLabel ? label : undefined}
      className={`${styles.field} ${className}`}
    >
      {!hideLabel && <Label className={styles.label}>{label}</Label>}
      <Button className={`${styles.input} ${styles.select}`}>
        <SelectValue className={styles.value}>
          {({ selectedText, defaultChildren }) => selectedText || defaultChildren}
        </SelectValue>
        <ChevronDown aria-hidden />
      </Button>
      <Below description={description} error={error} />
      <Popover className={styles.popover} offset={4}>
        <ListBox className={styles.list}>
          {options.map((option) => (
            <ListBoxItem
              key={option.id}
              id={option.id}
              textValue={option.label}
              className={styles.option}
            >
              <Text slot="label">{option.label}</Text>
              {option.description && (
                <Text slot="description" className={styles.description}>
                  {option.description}
                </Text>
              )}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

interface SwitchProps {
  children: ReactNode;
  isSelected: boolean;
  onChange: (isSelected: boolean) => void;
  description?: ReactNode;
  isDisabled?: boolean;
}

export function Switch({ children, description, ...rest }: SwitchProps) {
  return (
    <div className={styles.field}>
      <AriaSwitch {...rest} className={styles.switch}>
        <span className={styles.track} aria-hidden />
        <span>{children}</span>
      </AriaSwitch>
      {description && <span className={styles.description}>{description}</span>}
    </div>
  );
}
