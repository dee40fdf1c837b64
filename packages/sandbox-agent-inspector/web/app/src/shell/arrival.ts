/**
 * Whether a person has begun to do something where the page has brought them. What is there late, on a slow machine or
 * over a slow line, takes the focus only from those who have not: else their next key goes somewhere else.
 */

let hasBegun = false;

const MODIFIERS = new Set(['Control', 'Shift', 'Alt', 'Meta']);

/** Called once, by the page. */
export function listenToBeginnings(): () => void {
  const controller = new AbortController();
  const options = { capture: true, passive: true, signal: controller.signal };
  const begin = () => {
    hasBegun = true;
  };
  window.addEventListener('pointerdown', begin, options);
  window.addEventListener('keydown', (event) => MODIFIERS.has(event.key) || begin(), options);
  return () => controller.abort();
}

/** The page shows another room: what was done before led here. */
export function arrive(): void {
  hasBegun = false;
}

export function hasBegunHere(): boolean {
  return hasBegun;
}
