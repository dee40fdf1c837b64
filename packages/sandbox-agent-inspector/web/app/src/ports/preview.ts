/** Where a port is looked at, and how large. A page of the sandbox is shown on an origin of its own, or not at all. */
import type { TicketCreated } from 'sandbox-agent-client';

export type Width = 'fit' | 'phone' | 'desktop';

const WIDTHS = { phone: 390, desktop: 1280 } as const;
const LOOPBACK = /^(localhost|\[::1\]|127(\.\d{1,3}){3})$/;
const OWN_ADDRESS = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?(?=[/?#]|$)/i;

/** Why this page shows no port in a frame; null where it does. `serverUrl` is that of the API. */
export function whyNoPreview(
  serverUrl: string,
  page: { origin: string; hostname: string; protocol: string },
  userAgent: string,
): string | null {
  if (new URL(serverUrl).origin !== page.origin || new URL(serverUrl).pathname !== '/') {
    return 'This server is reached through another one, beneath whose address its ports have none of their own.';
  }
  if (page.protocol !== 'http:' || !LOOPBACK.test(page.hostname)) {
    return `A preview has an address of its own, port-3000.localhost, which leads a browser to its own machine. At ${page.hostname} there is none; through \`ssh -L\` there is.`;
  }
  // It asks the system for addresses, which knows of no names below localhost, where others decide by themselves.
  if (/Safari\//.test(userAgent) && !/(Chrome|Chromium|Android)\//.test(userAgent)) {
    return 'Safari does not find port-3000.localhost, the address that a preview has.';
  }
  return null;
}

/** What was typed as a path: also the whole address that the program has printed. */
export function writtenPath(typed: string): string {
  const path = typed.trim().replace(OWN_ADDRESS, '');
  return path.startsWith('?') || path.startsWith('#')
    ? `/${path}`
    : `/${path.replace(/^[/\\]+/, '')}`;
}

/** Null: it would not be the port's own origin, or would be that of this page. */
export function addressOf(
  ticket: Pick<TicketCreated, 'origin' | 'ticket'>,
  path: string,
  pageOrigin: string,
): string | null {
  if (!ticket.origin) return null;
  const url = new URL(ticket.origin + writtenPath(path));
  if (url.origin !== ticket.origin || url.origin === pageOrigin) return null;
  url.search += `${url.search ? '&' : '?'}ticket=${encodeURIComponent(ticket.ticket)}`;
  return url.href;
}

export interface Size {
  width: number;
  height: number;
}

/** A frame as wide as the device, made smaller when there is less room. */
export function frameSize(kind: Width, room: Size): Size & { scale: number } {
  if (kind === 'fit') return { ...room, scale: 1 };
  const width = WIDTHS[kind];
  const scale = Math.min(1, room.width / width);
  return { width, height: Math.round(room.height / scale), scale };
}
