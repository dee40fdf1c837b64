import { notify } from './notify.tsx';

/** Text only. A page without a secure origin has no clipboard of its own: then the old way. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copiedBySelection(text)) {
      notify({ title: `${what} could not be copied`, tone: 'error' });
      return;
    }
  }
  notify({ title: `${what} copied`, tone: 'ok', seconds: 2, key: 'copied' });
}

function copiedBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  return isCopied;
}
