/** The commands of all rooms: what the palette offers, `?` shows, and keys do. A room adds its own while it is there. */

export interface Command {
  /** Stable: `sessions.new`. */
  id: string;
  label: string;
  /** Heading in the palette and in the list of keys. */
  group: string;
  /** Any of these. */
  keys: readonly string[];
  /** Other words to find it by. */
  keywords?: string;
  /** False: the keys work, the palette does not offer it (moving a selection, say). */
  offered: boolean;
  /** Its keys also work while a dialog is open. */
  inDialogs: boolean;
  /** Returning `false` says that there was nothing to do: the key goes on to who else wants it. */
  run(): unknown;
}

type Listener = () => void;

class CommandRegistry {
  /** Latest last: what was opened last answers first. */
  #commands: readonly Command[] = [];
  readonly #listeners = new Set<Listener>();

  add(command: Command): () => void {
    this.#commands = [...this.#commands, command];
    this.#tell();
    return () => {
      this.#commands = this.#commands.filter((each) => each !== command);
      this.#tell();
    };
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      listener();
    }
  }

  readonly subscribe = (listener: Listener): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): readonly Command[] => this.#commands;
}

export const commands = new CommandRegistry();
