import type { ITheme } from '@xterm/xterm';
import { useSyncExternalStore } from 'react';

/** Sixteen colours each; xterm lifts whatever a program mixes to a contrast of 4.5. */
const DARK: ITheme = {
  black: '#1d242d',
  red: '#ff7b72',
  green: '#4cc38a',
  yellow: '#e3b341',
  blue: '#5aa9ff',
  magenta: '#d2a8ff',
  cyan: '#56d4dd',
  white: '#c9d1d9',
  brightBlack: '#8792a0',
  brightRed: '#ffa198',
  brightGreen: '#7ee2b0',
  brightYellow: '#f2cc60',
  brightBlue: '#8cc4ff',
  brightMagenta: '#e2c5ff',
  brightCyan: '#8be9f0',
  brightWhite: '#ffffff',
};

const LIGHT: ITheme = {
  black: '#171b21',
  red: '#b4231a',
  green: '#17733f',
  yellow: '#7a5200',
  blue: '#0b5cc4',
  magenta: '#8a2fb8',
  cyan: '#0b6b75',
  white: '#5f6a78',
  brightBlack: '#4d5866',
  brightRed: '#c93a2f',
  brightGreen: '#1f7f4a',
  brightYellow: '#8a5a00',
  brightBlue: '#1f6fd0',
  brightMagenta: '#9a45c8',
  brightCyan: '#117984',
  brightWhite: '#171b21',
};

function themeNow(): 'dark' | 'light' {
  return document.documentElement.dataset.theme === 'light' ? 'light' : 'dark';
}

function subscribe(listener: () => void): () => void {
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => observer.disconnect();
}

let made: { name: string; theme: ITheme } | null = null;

/** The surfaces are the tokens of the theme that applies. */
function themeOf(name: 'dark' | 'light'): ITheme {
  if (made?.name === name) return made.theme;
  const tokens = getComputedStyle(document.documentElement);
  const token = (key: string) => tokens.getPropertyValue(key).trim();
  const theme: ITheme = {
    ...(name === 'light' ? LIGHT : DARK),
    background: token('--bg'),
    foreground: token('--text'),
    cursor: token('--accent'),
    cursorAccent: token('--bg'),
    selectionBackground: `${token('--accent')}55`,
    selectionInactiveBackground: `${token('--control')}55`,
    scrollbarSliderBackground: `${token('--control')}55`,
    scrollbarSliderHoverBackground: `${token('--control')}88`,
    scrollbarSliderActiveBackground: `${token('--control')}aa`,
  };
  made = { name, theme };
  return theme;
}

/** The theme of terminals, as the page's is. */
export function useTerminalTheme(): ITheme {
  const name = useSyncExternalStore(subscribe, themeNow, themeNow);
  return themeOf(name);
}
