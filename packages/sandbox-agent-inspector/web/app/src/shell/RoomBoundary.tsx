/** A room that fails takes nothing else with it: what happened is said in its place, with a way on. */
import { Component, type ComponentType, type ErrorInfo, lazy, type ReactNode } from 'react';
import { Button } from '../ui/index.ts';
import { copyText } from './clipboard.ts';
import styles from './RoomBoundary.module.css';

interface BoundaryProps {
  /** What the room is called: "The conversation". */
  name: string;
  /** When this changes, the room is tried again. */
  resetKey?: string;
  children: ReactNode;
}

interface BoundaryState {
  error: unknown;
  stack: string;
  resetKey: string | undefined;
}

/** A part of the app that is no longer there: the server has been upgraded under an open page. */
export function isMissingPart(error: unknown): boolean {
  return (
    error instanceof Error &&
    /dynamically imported module|Importing a module script failed|error loading dynamically|Unable to preload/i.test(
      error.message,
    )
  );
}

export class RoomBoundary extends Component<BoundaryProps, BoundaryState> {
  override state: BoundaryState = { error: null, stack: '', resetKey: this.props.resetKey };

  static getDerivedStateFromProps(
    props: BoundaryProps,
    state: BoundaryState,
  ): Partial<BoundaryState> | null {
    return props.resetKey === state.resetKey ? null : { error: null, resetKey: props.resetKey };
  }

  static getDerivedStateFromError(error: unknown): Partial<BoundaryState> {
    return { error: error ?? new Error('Unknown error') };
  }

  override componentDidCatch(_error: unknown, info: ErrorInfo): void {
    this.setState({ stack: info.componentStack ?? '' });
  }

  /** Without what is on the screen: a message and where in the code. */
  #details(): string {
    const { error, stack } = this.state;
    const text = error instanceof Error ? (error.stack ?? String(error)) : String(error);
    return `${this.props.name} failed\n${text}\n${stack}`.trim();
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) {
      return this.props.children;
    }
    if (isMissingPart(error)) {
      return (
        <div className={styles.card} role="alert">
          <h2>A new version is here</h2>
          <p>
            The server was upgraded while this page was open, or cannot be reached. What you have
            written is kept.
          </p>
          <div className={styles.actions}>
            <Button look="primary" onPress={() => window.location.reload()}>
              Reload
            </Button>
          </div>
        </div>
      );
    }
    return (
      <div className={styles.card} role="alert">
        <h2>{this.props.name} stopped working</h2>
        <p>
          The rest of the page goes on, and so does everything on the server. What you have written
          is kept.
        </p>
        <pre>{error instanceof Error ? error.message : String(error)}</pre>
        <div className={styles.actions}>
          <Button look="primary" onPress={() => this.setState({ error: null })}>
            Try again
          </Button>
          <Button onPress={() => void copyText(this.#details(), 'Details')}>Copy details</Button>
          <Button onPress={() => window.location.reload()}>Reload the page</Button>
        </div>
      </div>
    );
  }
}

/** A room whose code comes when it is first opened. A fetch that failed once (a blink of the network) is tried again. */
export function lazyRoom<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): ComponentType<Props> {
  return lazy(async () => {
    try {
      return { default: await load() };
    } catch {
      return { default: await load() };
    }
  });
}
