import type { ReactNode } from 'react';
import { Banner, Button, Dialog, TextField } from '../ui/index.ts';
import styles from './Dialogs.module.css';
import { JsonField } from './JsonField.tsx';

export interface EntryDialogProps {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  /** An entry keeps the name that it was made with. */
  isNew: boolean;
  name: string;
  onName: (name: string) => void;
  nameError: string | undefined;
  /** Null while it is a form. */
  json: string | null;
  onJson: (json: string) => void;
  jsonError: string | undefined;
  /** From the form to its JSON, and back. */
  onSwitch: () => void;
  /** Why the server did not take it. */
  failure: string | null;
  isBusy: boolean;
  onSave: () => void;
  /** The fields of its form. */
  children: ReactNode;
}

/** An entry of a directory's configuration, in a form or as the JSON that is stored. */
export function EntryDialog(props: EntryDialogProps) {
  return (
    <Dialog
      title={props.title}
      isOpen={props.isOpen}
      onOpenChange={(isOpen) => !isOpen && props.onClose()}
      footer={
        <>
          <Button look="quiet" className={styles.start} onPress={props.onSwitch}>
            {props.json === null ? 'As JSON' : 'As a form'}
          </Button>
          <Button onPress={props.onClose}>Cancel</Button>
          <Button look="primary" isDisabled={props.isBusy} onPress={props.onSave}>
            Save
          </Button>
        </>
      }
    >
      <div className={styles.form}>
        {props.failure !== null && (
          <Banner tone="err" title="It was not saved">
            {props.failure}
          </Banner>
        )}
        <TextField
          label="Name"
          value={props.name}
          onChange={props.onName}
          error={props.nameError}
          isDisabled={!props.isNew}
          autoFocus={props.isNew}
          autoComplete="off"
          mono
        />
        {props.json === null ? (
          props.children
        ) : (
          <JsonField value={props.json} onChange={props.onJson} error={props.jsonError ?? null} />
        )}
      </div>
    </Dialog>
  );
}
