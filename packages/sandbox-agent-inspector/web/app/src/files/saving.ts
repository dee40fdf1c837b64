/** Handing a file of the sandbox to the browser. */
import type { SandboxAgent } from 'sandbox-agent-client';
import { baseName, foreign, shortened } from 'sandbox-agent-react';

/** A name for the disk of the person: what deceives is visible in it, and it is not too long for any system. */
export function downloadName(path: string, suffix = ''): string {
  const name = shortened(foreign(baseName(path)).replaceAll(/[/\\]/g, '_'), 120);
  return (name.replace(/^\.+$/, '_') || 'file') + suffix;
}

export async function saveFile(client: SandboxAgent, path: string): Promise<void> {
  offer(await client.files.download(path), downloadName(path));
}

export async function saveDirectory(client: SandboxAgent, path: string): Promise<void> {
  const response = await client.files.archive(path, 'tar');
  offer(await response.blob(), downloadName(path === '/' ? 'root' : path, '.tar'));
}

function offer(blob: Blob, name: string): void {
  // Never a type that the browser would open by itself.
  const url = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
