import { useId, useState } from 'react';
import { type Choice, foreign, useRequestCard } from 'sandbox-agent-react';
import { Button, Foreign } from '../ui/index.ts';
import styles from './Actions.module.css';

/** Says what exactly would hold, before it does. */
export function AlwaysPanel({
  choices,
  onClose,
}: {
  choices: readonly Choice[];
  onClose: () => void;
}) {
  const { press } = useRequestCard();
  const [first] = choices;
  const [chosen, setChosen] = useState(first?.id ?? '');
  const id = useId();
  const choice = choices.find((one) => one.id === chosen) ?? first;
  if (!choice) return null;
  return (
    <fieldset className={styles.panel}>
      <legend className={styles.panelTitle}>Always allow what?</legend>
      {choices.map((one) => (
        <label key={one.id} className={styles.choice}>
          <input
            type="radio"
            name={id}
            checked={one.id === choice.id}
            onChange={() => setChosen(one.id)}
          />
          <span>
            <Foreign text={one.label} maxChars={300} />
            <small className={styles.holds}>{foreign(one.holds)}</small>
          </span>
        </label>
      ))}
      <div className={styles.panelButtons}>
        <Button look="quiet" onPress={onClose}>
          Back
        </Button>
        <Button look="primary" onPress={() => press(choice.body)}>
          Confirm
        </Button>
      </div>
    </fieldset>
  );
}
