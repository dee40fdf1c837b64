/** Moving through the app: addresses without the base, whichever it is. */
import { useCallback, useMemo } from 'react';
import { usePathname, useSearch, navigate as visit } from 'wouter/use-browser-location';
import { appPlace, pathBelow, ROOT } from './base.ts';
import { parseRoute, type Route } from './routes.ts';

export { paths, type Route, type SessionPlace } from './routes.ts';

export interface NavigateOptions {
  replace?: boolean;
  state?: unknown;
}

export type Navigate = (path: string, options?: NavigateOptions) => void;

/** Go to an address made by `paths`; for code outside of components. */
export function navigate(path: string, options: NavigateOptions = {}): void {
  const { base } = appPlace(ROOT, window.location.pathname);
  visit(base + path, options);
}

export function useNavigate(): Navigate {
  return useCallback(navigate, []);
}

/** What the address means now. */
export function useRoute(): Route {
  const pathname = usePathname();
  const query = useSearch();
  return useMemo(() => {
    const { base } = appPlace(ROOT, pathname);
    return parseRoute(pathBelow(base, pathname), query);
  }, [pathname, query]);
}

/** For `href`: what a new tab would open. Addresses that are not of the app stay as they are. */
export function useHref(path: string): string {
  const { base } = appPlace(ROOT, usePathname());
  return path.startsWith('/') ? base + path : path;
}

/** A whole URL to hand to somebody: without the token. */
export function linkTo(path: string): string {
  return window.location.origin + appPlace(ROOT, window.location.pathname).base + path;
}
