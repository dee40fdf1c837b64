import type { FitAddon } from '@xterm/addon-fit';
import type { ITheme, Terminal } from '@xterm/xterm';
import { documentWithNonce, giveDocumentToRows, pageNonce, withNonceOnStyles } from '../nonce.ts';
import { type FindResult, findInTerminal } from './finding.ts';
import { type BarKey, type HeldKeys, sequenceOf, withHeld } from './keys.ts';
import { UrlLinks } from './links.ts';
import { guardPaste, type PasteGuard } from './paste.ts';
import { TouchScroll } from './touchScroll.ts';
import type { TerminalExit, TerminalState, TerminalTransport } from './transport.ts';

export interface ScreenOptions {
  label: string;
  theme?: ITheme;
  fontFamily?: string;
  fontSize?: number;
  lineHeight?: number;
  /** Lines that are kept above the view. */
  scrollback?: number;
  /** A lone line feed begins at the left: for logs, which no terminal has written. */
  convertEol?: boolean;
  screenReader?: boolean;
}

export interface ScreenHandlers {
  /** Something dangerous was pasted: `true` types it all the same. */
  askPaste?(guard: PasteGuard): Promise<boolean>;
  openLink?(url: string): void;
  title?(title: string): void;
  state?(state: TerminalState, reason?: string): void;
  exit?(exit: TerminalExit): void;
  notice?(message: string): void;
  /** What was there before is on the screen again: so many lines. */
  restored?(lines: number): void;
  /** Keys that the terminal is not to have. */
  isReserved?(event: KeyboardEvent): boolean;
  find?(): void;
  bell?(): void;
  /** After a key of the bar was used with a held Ctrl or Alt: it is let go. */
  released?(): void;
}

export interface XtermModules {
  Terminal: typeof Terminal;
  FitAddon: typeof FitAddon;
}

const TITLE_MAX_CHARS = 200;

/** An xterm in an element, wired to a transport. No React in it. */
export class TerminalScreen {
  readonly terminal: Terminal;
  readonly #fit: FitAddon;
  readonly #element: HTMLElement;
  readonly #transport: TerminalTransport;
  readonly #handlers: ScreenHandlers;
  readonly #observer: ResizeObserver;
  readonly #stops: (() => void)[] = [];
  #held: HeldKeys = { control: false, alt: false };
  #restoring = 0;
  #frame = 0;
  #isStopped = false;

  constructor(
    modules: XtermModules,
    element: HTMLElement,
    transport: TerminalTransport,
    options: ScreenOptions,
    handlers: ScreenHandlers,
  ) {
    this.#element = element;
    this.#transport = transport;
    this.#handlers = handlers;
    const nonce = pageNonce(element.ownerDocument);
    const ours = documentWithNonce(element.ownerDocument, nonce);
    this.terminal = new modules.Terminal({
      allowProposedApi: false,
      cursorBlink: false,
      cursorInactiveStyle: 'outline',
      disableStdin: transport.write === undefined,
      documentOverride: ours,
      fontFamily: options.fontFamily ?? 'ui-monospace, Menlo, Consolas, monospace',
      fontSize: options.fontSize ?? 13,
      lineHeight: options.lineHeight ?? 1.25,
      macOptionIsMeta: true,
      minimumContrastRatio: 4.5,
      rightClickSelectsWord: false,
      screenReaderMode: options.screenReader ?? false,
      scrollback: options.scrollback ?? 10_000,
      convertEol: options.convertEol ?? false,
      theme: options.theme,
      linkHandler: {
        allowNonHttpProtocols: false,
        activate: (_event, url) => handlers.openLink?.(url),
      },
    });
    this.#fit = new modules.FitAddon();
    this.terminal.loadAddon(this.#fit);
    this.#refuse();
    withNonceOnStyles(element.ownerDocument, nonce, () => this.terminal.open(element));
    giveDocumentToRows(this.terminal, ours);
    this.terminal.textarea?.setAttribute('aria-label', options.label);
    this.#listen();
    this.#observer = new ResizeObserver(() => this.#refit());
    this.#observer.observe(element);
    this.fit();
    this.#start();
  }

  /** Fits rows and columns to the element. */
  fit(): void {
    if (this.#element.clientWidth > 20 && this.#element.clientHeight > 20) this.#fit.fit();
  }

  setOptions(options: Pick<ScreenOptions, 'theme' | 'fontSize' | 'screenReader'>): void {
    if (options.theme) this.terminal.options.theme = options.theme;
    if (options.fontSize) this.terminal.options.fontSize = options.fontSize;
    if (options.screenReader !== undefined)
      this.terminal.options.screenReaderMode = options.screenReader;
    this.#refit();
  }

  focus(): void {
    this.terminal.focus();
  }

  /** As if it was typed. */
  type(data: string): void {
    this.#transport.write?.(data);
    this.terminal.scrollToBottom();
  }

  press(key: BarKey, held: HeldKeys): void {
    this.type(sequenceOf(key, held, this.terminal.modes.applicationCursorKeysMode));
  }

  /** Ctrl or Alt of the key bar, for the next key. */
  hold(held: HeldKeys): void {
    this.#held = held;
  }

  async paste(text: string): Promise<void> {
    if (this.#transport.write === undefined || text === '') return;
    const guard = guardPaste(text, this.terminal.modes.bracketedPasteMode);
    if (guard.mustAsk && !(await this.#handlers.askPaste?.(guard))) return;
    if (!this.#isStopped) this.terminal.paste(guard.text);
  }

  find(text: string, backwards: boolean): FindResult {
    return findInTerminal(this.terminal, text, backwards);
  }

  /** All that it has, without colours, empty lines at its end left out. */
  text(): string {
    const buffer = this.terminal.buffer.normal;
    let text = '';
    for (let row = 0; row < buffer.length; row++) {
      const line = buffer.getLine(row);
      if (!line) continue;
      if (row > 0 && !line.isWrapped) text += '\n';
      text += line.translateToString(true);
    }
    return text.trimEnd();
  }

  stop(): void {
    this.#isStopped = true;
    cancelAnimationFrame(this.#frame);
    this.#observer.disconnect();
    this.#transport.stop();
    for (const stop of this.#stops) stop();
    this.terminal.dispose();
  }

  #start(): void {
    const { terminal } = this;
    this.#transport.start(
      {
        data: (bytes, taken) => {
          if (this.#isStopped) return;
          terminal.write(bytes, () => {
            taken();
            this.#restoredBy(bytes.length);
          });
        },
        restoring: (bytes) => {
          this.#restoring = bytes;
        },
        exit: (exit) => {
          terminal.options.cursorInactiveStyle = 'none';
          this.#handlers.exit?.(exit);
        },
        notice: (message) => this.#handlers.notice?.(message),
        state: (state, reason) => this.#handlers.state?.(state, reason),
      },
      { cols: terminal.cols, rows: terminal.rows },
    );
  }

  #restoredBy(bytes: number): void {
    if (this.#restoring === 0) return;
    this.#restoring = Math.max(0, this.#restoring - bytes);
    if (this.#restoring > 0) return;
    const { baseY, cursorY } = this.terminal.buffer.active;
    this.#handlers.restored?.(baseY + cursorY + 1);
  }

  #listen(): void {
    const { terminal } = this;
    terminal.onData((data) => {
      const { control, alt } = this.#held;
      if ((control || alt) && !data.startsWith('\x1b')) {
        this.#held = { control: false, alt: false };
        this.#handlers.released?.();
        this.#transport.write?.(withHeld(data, { control, alt }));
      } else this.#transport.write?.(data);
    });
    terminal.onResize((size) => this.#transport.resize?.(size));
    terminal.onTitleChange((title) => this.#handlers.title?.(title.slice(0, TITLE_MAX_CHARS)));
    terminal.onBell(() => this.#handlers.bell?.());
    terminal.registerLinkProvider(new UrlLinks(terminal, (url) => this.#handlers.openLink?.(url)));
    terminal.attachCustomKeyEventHandler((event) => this.#isForTerminal(event));
    const onPaste = (event: ClipboardEvent) => {
      event.preventDefault();
      event.stopPropagation();
      void this.paste(event.clipboardData?.getData('text/plain') ?? '');
    };
    this.#element.addEventListener('paste', onPaste, { capture: true });
    this.#stops.push(() => this.#element.removeEventListener('paste', onPaste, { capture: true }));
    const touch = new TouchScroll(this.#element, terminal, (data) => this.#transport.write?.(data));
    this.#stops.push(() => touch.stop());
  }

  /** False: somebody else has this key. */
  #isForTerminal(event: KeyboardEvent): boolean {
    if (event.key === 'F6' || this.#handlers.isReserved?.(event)) return false;
    const isCommand = event.metaKey || (event.ctrlKey && event.shiftKey);
    if (!isCommand || event.altKey) return true;
    const key = event.key.toLowerCase();
    if (key === 'c' && this.terminal.hasSelection()) {
      if (event.type === 'keydown') void copyText(this.terminal.getSelection());
      event.preventDefault();
      return false;
    }
    // The browser pastes by itself, and the paste is guarded.
    if (key === 'v') return false;
    if (key === 'f' && this.#handlers.find) {
      if (event.type === 'keydown') this.#handlers.find();
      event.preventDefault();
      return false;
    }
    return true;
  }

  /** What output must not do: set the clipboard. Its title goes nowhere but to its tab, and no size is set by it. */
  #refuse(): void {
    this.terminal.parser.registerOscHandler(52, () => true);
  }

  #refit(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.fit());
  }
}

async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where the clipboard is refused the selection stays, and the browser's own menu copies it.
  }
}
