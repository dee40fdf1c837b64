/** `F6` walks through the regions of the page, back to where one was in each. */

const lastFocused = new WeakMap<Element, HTMLElement>();

function visibleRegions(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('[data-region]')].filter(
    (each) => each.offsetParent !== null,
  );
}

export function focusRegion(region: HTMLElement): void {
  const before = lastFocused.get(region);
  if (before?.isConnected && before.offsetParent !== null) {
    before.focus();
    return;
  }
  region.dataset.marked = '';
  region.addEventListener('blur', () => delete region.dataset.marked, { once: true });
  region.focus({ preventScroll: true });
}

export function focusNextRegion(step: 1 | -1): boolean {
  const regions = visibleRegions();
  const current = document.activeElement?.closest<HTMLElement>('[data-region]');
  const index = current ? regions.indexOf(current) : -1;
  if (current && document.activeElement instanceof HTMLElement) {
    lastFocused.set(current, document.activeElement);
  }
  const next = regions.at((index < 0 && step < 0 ? 0 : index) + step) ?? regions[0];
  if (!next) {
    return false;
  }
  focusRegion(index + step >= regions.length && regions[0] ? regions[0] : next);
  return true;
}

export function focusRegionNamed(name: 'sessions' | 'main' | 'panel'): void {
  const region = visibleRegions().find((each) => each.dataset.region === name);
  if (region) {
    focusRegion(region);
  }
}

/** After moving elsewhere the focus must not be left on nothing: whoever has a better place for it was first. */
export function focusMainIfLost(): void {
  const active = document.activeElement;
  if (active === null || active === document.body || !active.isConnected) {
    const main = document.querySelector<HTMLElement>('[data-region="main"]');
    main?.focus({ preventScroll: true });
  }
}
