/** The clipboard of the person, written when they ask for it, with text only. */
import { useEffect, useState } from 'react';
import { notify } from './notify.tsx';

const SHOWN_MS = 1500;

/** Copies, and says that it did. */
export async function copyText(text: string, what: string): Promise<void> {
  if (await isCopied(text, what)) {
    notify({ title: `${what} copied`, tone: 'ok', seconds: 2, key: 'copied' });
  }
}

/** For a button that shows itself that it copied: whether it did just now, and what it does. */
export function useCopy(): readonly [boolean, (text: string, what: string) => void] {
  const [copies, setCopies] = useState(0);
  const [isShown, setShown] = useState(false);
  useEffect(() => {
    if (copies === 0) {
      return;
    }
    setShown(true);
    const timer = setTimeout(() => setShown(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copies]);
  const copy = async (text: string, what: string) => {
    if (await isCopied(text, what)) {
      setCopies((before) => before + 1);
    }
  };
  return [isShown, (text, what) => void copy(text, what)];
}

/** What is on it; null, and a word about it, when the browser does not tell. */
export async function clipboardText(): Promise<string | null> {
  try {
    return await navigator.clipboard.readText();
  } catch {
    notify({
      title: 'The browser does not let this page paste',
      detail: 'Its own command for it does: hold, or Ctrl V.',
      tone: 'error',
      key: 'pasted',
    });
    return null;
  }
}

async function isCopied(text: string, what: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (copiedByCommand(text)) {
      return true;
    }
  }
  notify({
    title: `${what} could not be copied`,
    detail: 'The browser does not let this page copy. Select the text and copy it.',
    tone: 'error',
    key: 'copied',
  });
  return false;
}

/** The old way, for pages of http from another machine: nothing has to be selected or focused for it. */
function copiedByCommand(text: string): boolean {
  const ended = new AbortController();
  const options = { capture: true, signal: ended.signal };
  // Without a selection the command is on only if somebody wants it.
  document.addEventListener('beforecopy', (event) => event.preventDefault(), options);
  document.addEventListener(
    'copy',
    (event) => {
      event.clipboardData?.setData('text/plain', text);
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    options,
  );
  const isDone = document.execCommand('copy');
  ended.abort();
  return isDone;
}
