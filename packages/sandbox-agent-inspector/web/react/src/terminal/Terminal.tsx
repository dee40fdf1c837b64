import {
  type HTMLAttributes,
  type Ref,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
} from 'react';
import type { FindResult } from './finding.ts';
import type { BarKey, HeldKeys } from './keys.ts';
import { type ScreenHandlers, type ScreenOptions, TerminalScreen } from './screen.ts';
import type { TerminalTransport } from './transport.ts';

export interface TerminalHandle {
  focus(): void;
  type(data: string): void;
  press(key: BarKey, held: HeldKeys): void;
  hold(held: HeldKeys): void;
  paste(text: string): Promise<void>;
  find(text: string, backwards: boolean): FindResult;
  clear(): void;
  text(): string;
  selection(): string;
}

export interface TerminalProps
  extends ScreenOptions,
    Omit<HTMLAttributes<HTMLDivElement>, 'children' | 'color'> {
  /** Made anew for each screen: a changed one begins a new screen. */
  transport: () => TerminalTransport;
  /** With another value the screen is made anew. */
  transportKey: string;
  on?: ScreenHandlers;
  ref?: Ref<TerminalHandle>;
}

/**
 * A terminal: keys in, output out, at the size of its element. xterm is loaded when the first one is shown; its style
 * sheet (`@xterm/xterm/css/xterm.css`) is the application's to bring.
 */
export function Terminal({
  transport,
  transportKey,
  on,
  ref,
  label,
  theme,
  fontFamily,
  fontSize,
  lineHeight,
  scrollback,
  convertEol,
  screenReader,
  ...rest
}: TerminalProps) {
  const element = useRef<HTMLDivElement>(null);
  const screen = useRef<TerminalScreen | null>(null);
  const [state, setState] = useState<'loading' | 'ready' | 'failed'>('loading');
  // Wished before xterm was there.
  const wantsFocus = useRef(false);
  const latest = useRef({ transport, on, theme, fontSize, screenReader });
  useEffect(() => {
    latest.current = { transport, on, theme, fontSize, screenReader };
  });

  // biome-ignore lint/correctness/useExhaustiveDependencies: a screen is made for a key; what can change in it is set below
  useEffect(() => {
    let isGone = false;
    void (async () => {
      try {
        const [{ Terminal: Xterm }, { FitAddon }] = await Promise.all([
          import('@xterm/xterm'),
          import('@xterm/addon-fit'),
        ]);
        if (isGone || !element.current) return;
        const now = latest.current;
        screen.current = new TerminalScreen(
          { Terminal: Xterm, FitAddon },
          element.current,
          now.transport(),
          {
            label,
            theme: now.theme,
            fontFamily,
            fontSize: now.fontSize,
            lineHeight,
            scrollback,
            convertEol,
            screenReader: now.screenReader,
          },
          handlersOf(() => latest.current.on),
        );
        setState('ready');
        if (wantsFocus.current) screen.current.focus();
        wantsFocus.current = false;
      } catch {
        if (!isGone) setState('failed');
      }
    })();
    return () => {
      isGone = true;
      screen.current?.stop();
      screen.current = null;
      setState('loading');
    };
  }, [transportKey]);

  useEffect(() => {
    screen.current?.setOptions({ theme, fontSize, screenReader });
  }, [theme, fontSize, screenReader]);

  useImperativeHandle(
    ref,
    () => ({
      focus: () => {
        if (screen.current) screen.current.focus();
        else wantsFocus.current = true;
      },
      type: (data) => screen.current?.type(data),
      press: (key, held) => screen.current?.press(key, held),
      hold: (held) => screen.current?.hold(held),
      paste: async (text) => screen.current?.paste(text),
      find: (text, backwards) => screen.current?.find(text, backwards) ?? { count: 0, at: 0 },
      clear: () => screen.current?.terminal.clear(),
      text: () => screen.current?.text() ?? '',
      selection: () => screen.current?.terminal.getSelection() ?? '',
    }),
    [],
  );

  return <div {...rest} ref={element} data-state={state} data-keys="all" />;
}

/** The handlers of the latest render, whichever those are when something happens. */
function handlersOf(now: () => ScreenHandlers | undefined): ScreenHandlers {
  return {
    askPaste: async (guard) => (await now()?.askPaste?.(guard)) ?? false,
    openLink: (url) => now()?.openLink?.(url),
    title: (title) => now()?.title?.(title),
    state: (state, reason) => now()?.state?.(state, reason),
    exit: (exit) => now()?.exit?.(exit),
    notice: (message) => now()?.notice?.(message),
    restored: (lines) => now()?.restored?.(lines),
    isReserved: (event) => now()?.isReserved?.(event) ?? false,
    find: () => now()?.find?.(),
    bell: () => now()?.bell?.(),
    released: () => now()?.released?.(),
  };
}
