import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import {
  Dialog as AriaDialog,
  Heading,
  Modal,
  ModalOverlay,
  type ModalOverlayProps,
} from 'react-aria-components';
import { Button, IconButton } from './Button.tsx';
import styles from './Dialog.module.css';

interface DialogProps extends Pick<ModalOverlayProps, 'isOpen' | 'onOpenChange'> {
  title: string;
  children: ReactNode;
  /** Buttons, the one that goes on last. */
  footer?: ReactNode;
  size?: 'small' | 'normal' | 'large';
  role?: 'dialog' | 'alertdialog';
}

/** A sheet from below on a phone. */
export function Dialog({
  title,
  children,
  footer,
  size = 'normal',
  role = 'dialog',
  isOpen,
  onOpenChange,
}: DialogProps) {
  return (
    <ModalOverlay
      className={styles.overlay}
      isOpen={isOpen}
      onOpenChange={onOpenChange}
      isDismissable={role === 'dialog'}
    >
      <Modal className={styles.modal} data-size={size}>
        <AriaDialog className={styles.dialog} role={role}>
          <header className={styles.header}>
            <Heading slot="title" className={styles.title}>
              {title}
            </Heading>
            <IconButton label="Close" onPress={() => onOpenChange?.(false)}>
              <X />
            </IconButton>
          </header>
          <div className={styles.body}>{children}</div>
          {footer && <footer className={styles.footer}>{footer}</footer>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

interface ConfirmProps extends Pick<ModalOverlayProps, 'isOpen' | 'onOpenChange'> {
  title: string;
  children: ReactNode;
  /** What is done, in a verb: "Delete". */
  action: string;
  danger?: boolean;
  onConfirm: () => void;
}

export function ConfirmDialog({
  title,
  children,
  action,
  danger,
  onConfirm,
  ...rest
}: ConfirmProps) {
  const close = () => rest.onOpenChange?.(false);
  return (
    <Dialog
      {...rest}
      title={title}
      size="small"
      role="alertdialog"
      footer={
        <>
          <Button autoFocus onPress={close}>
            Cancel
          </Button>
          <Button
            look={danger ? 'danger' : 'primary'}
            onPress={() => {
              close();
              onConfirm();
            }}
          >
            {action}
          </Button>
        </>
      }
    >
      {children}
    </Dialog>
  );
}
