import { Check, CircleAlert, X } from 'lucide-react';
import { useState } from 'react';
import { foreign, formatBytes, formatElapsed, useLocalNow } from 'sandbox-agent-react';
import { Button, Disclosure, Foreign, IconButton } from '../ui/index.ts';
import styles from './InstallCard.module.css';
import { type Install, STEPS } from './installs.ts';

interface InstallCardProps {
  install: Install;
  onRetry: () => void;
  onDismiss: () => void;
}

/** How far an installation is: its steps, the bytes, the time; and what went wrong. */
export function InstallCard({ install, onRetry, onDismiss }: InstallCardProps) {
  const [isOpen, setOpen] = useState(true);
  const now = useLocalNow(install.state === 'running');
  const { progress, steps, state } = install;
  const elapsed = (install.endedAt ?? Math.max(now, install.startedAt)) - install.startedAt;
  const done = progress?.doneBytes ?? null;
  const total = progress?.totalBytes ?? null;
  const isDownload = state === 'running' && progress?.step === 'downloading' && done !== null;

  return (
    <section className={styles.card} data-state={state} aria-label="Installation">
      <header className={styles.header}>
        <h3>
          {state === 'running'
            ? 'Installing'
            : state === 'done'
              ? install.result?.already_installed
                ? 'It was installed already'
                : 'Installed'
              : 'It could not be installed'}
          {(progress?.version ?? install.result?.version) && (
            <>
              {' '}
              <Foreign text={progress?.version ?? install.result?.version ?? ''} maxChars={40} />
            </>
          )}
        </h3>
        <span className={styles.time}>{formatElapsed(elapsed)}</span>
        {state !== 'running' && (
          <IconButton label="Dismiss" size="small" onPress={onDismiss}>
            <X />
          </IconButton>
        )}
      </header>
      <ol className={styles.steps}>
        {steps.map(({ step, at }, index) => {
          const isLast = index === steps.length - 1;
          const isUnderWay = isLast && state === 'running';
          const until = steps[index + 1]?.at ?? install.endedAt ?? now;
          return (
            <li
              key={`${step} ${at}`}
              className={styles.step}
              data-current={isUnderWay || undefined}
            >
              {isUnderWay ? (
                <span className={styles.dot} aria-hidden />
              ) : isLast && state === 'failed' ? (
                <CircleAlert aria-hidden className={styles.bad} />
              ) : (
                <Check aria-hidden className={styles.good} />
              )}
              <span className={styles.words}>{STEPS[step]}</span>
              <span className={styles.time}>
                {isUnderWay && isDownload && done !== null
                  ? total
                    ? `${formatBytes(done)} of ${formatBytes(total)}`
                    : formatBytes(done)
                  : formatElapsed(Math.max(0, until - at))}
              </span>
            </li>
          );
        })}
        {steps.length === 0 && state === 'running' && (
          <li className={styles.step} data-current>
            <span className={styles.dot} aria-hidden />
            <span className={styles.words}>Beginning</span>
          </li>
        )}
      </ol>
      {isDownload && (
        <progress
          className={styles.bar}
          aria-label="Download"
          max={total ?? undefined}
          value={total ? (done ?? 0) : undefined}
        />
      )}
      {install.result?.note && (
        <p className={styles.note}>
          <Foreign text={install.result.note} maxChars={600} />
        </p>
      )}
      {state === 'failed' && (
        <>
          <p className={styles.problem}>
            <Foreign text={install.problem ?? ''} maxChars={1000} />
          </p>
          {install.lastLines !== null && (
            <Disclosure summary="What it wrote last" isOpen={isOpen} onToggle={setOpen}>
              <pre className={styles.lines}>
                {install.lastLines.trimEnd().split('\n').slice(-30).map(foreign).join('\n')}
              </pre>
            </Disclosure>
          )}
          <div>
            <Button size="small" onPress={onRetry}>
              Try again
            </Button>
          </div>
        </>
      )}
    </section>
  );
}
