import { useEffect, useState } from 'react';
import { problemOfName } from 'sandbox-agent-react';
import { Button, Dialog, Foreign, TextField } from '../ui/index.ts';
import styles from './NameDialog.module.css';

export interface NameQuestion {
  title: string;
  /** What the button says. */
  action: string;
  label: string;
  /** Where it is to be, as it is shown. */
  directory: string;
  initial: string;
  /** Throws what went wrong: it is shown, and the dialog stays. */
  submit: (name: string) => Promise<void>;
}

interface NameDialogProps {
  question: NameQuestion | null;
  onClose: () => void;
}

/** Asks for the name of something that is to be made or moved. */
export function NameDialog({ question, onClose }: NameDialogProps) {
  const [name, setName] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    setName(question?.initial ?? '');
    setProblem(null);
    setBusy(false);
  }, [question]);

  const submit = async () => {
    if (!question || isBusy) return;
    const wrong = problemOfName(name);
    if (wrong) {
      setProblem(wrong);
      return;
    }
    setBusy(true);
    try {
      await question.submit(name);
      onClose();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };

  return (
    <Dialog
      title={question?.title ?? ''}
      size="small"
      isOpen={question !== null}
      onOpenChange={(isOpen) => !isOpen && onClose()}
      footer={
        <>
          <Button onPress={onClose}>Cancel</Button>
          <Button look="primary" isDisabled={isBusy} onPress={() => void submit()}>
            {question?.action ?? ''}
          </Button>
        </>
      }
    >
      <TextField
        label={question?.label ?? ''}
        value={name}
        onChange={(value) => {
          setName(value);
          setProblem(null);
        }}
        error={problem}
        autoFocus
        mono
        autoComplete="off"
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.nativeEvent.isComposing) void submit();
        }}
        inputRef={selectStem}
        description={
          <>
            In <Foreign text={question?.directory ?? ''} className={styles.directory} />. With “/”
            folders are made, too.
          </>
        }
      />
    </Dialog>
  );
}

/** The name without its extension is what people change. */
function selectStem(input: HTMLInputElement | null): void {
  if (!input || input.dataset.selected === 'yes') return;
  input.dataset.selected = 'yes';
  requestAnimationFrame(() => {
    const dot = input.value.lastIndexOf('.');
    const start = input.value.lastIndexOf('/') + 1;
    input.setSelectionRange(start, dot > start ? dot : input.value.length);
  });
}
