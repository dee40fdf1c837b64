import { notify } from '../shell/notify.tsx';

/** Text alone: nothing that a page could run, and no token. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    notify({ title: `${what} copied`, tone: 'ok', key: 'copied', seconds: 2 });
  } catch {
    notify({
      title: `${what} could not be copied`,
      detail:
        'The browser does not let this page write to the clipboard. Select the text and copy it.',
      tone: 'error',
      key: 'copied',
    });
  }
}
