import type { ReactNode, Ref } from 'react';
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from 'react-aria-components';
import styles from './Button.module.css';
import { Tip } from './Tooltip.tsx';

export type ButtonLook = 'primary' | 'default' | 'quiet' | 'danger';

export interface ButtonProps extends Omit<AriaButtonProps, 'className' | 'style' | 'children'> {
  look?: ButtonLook;
  size?: 'small' | 'normal' | 'large';
  icon?: ReactNode;
  children: ReactNode;
  /** Shown at the end and in the tooltip of narrow places; the key itself is bound by `useShortcut`. */
  shortcut?: ReactNode;
  className?: string;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({
  look = 'default',
  size = 'normal',
  icon,
  children,
  shortcut,
  className = '',
  ...rest
}: ButtonProps) {
  return (
    <AriaButton
      {...rest}
      className={`${styles.button} ${className}`}
      data-look={look}
      data-size={size}
    >
      {icon}
      <span className={styles.label}>{children}</span>
      {shortcut && <span className={styles.shortcut}>{shortcut}</span>}
    </AriaButton>
  );
}

export interface IconButtonProps extends Omit<AriaButtonProps, 'className' | 'style' | 'children'> {
  /** Its name for everyone who does not see the picture, and its tooltip. */
  label: string;
  shortcut?: string;
  size?: 'small' | 'normal' | 'large';
  children: ReactNode;
  className?: string;
  ref?: Ref<HTMLButtonElement>;
}

export function IconButton({
  label,
  shortcut,
  size = 'normal',
  children,
  className = '',
  ...rest
}: IconButtonProps) {
  return (
    <Tip text={label} shortcut={shortcut}>
      <AriaButton
        {...rest}
        aria-label={label}
        className={`${styles.icon} ${className}`}
        data-size={size}
      >
        {children}
      </AriaButton>
    </Tip>
  );
}
