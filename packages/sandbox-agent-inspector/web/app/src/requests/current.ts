import { type RefObject, useEffect, useRef } from 'react';

interface CardPlace {
  sessionId: string;
  requestId: string;
  element: HTMLElement;
}

/** What the keys of a card do; `null` while it takes none. */
export interface CardActions {
  allow(): boolean;
  deny(): boolean;
}

const places = new Set<CardPlace>();
const actions = new Map<HTMLElement, CardActions>();
let current: HTMLElement | null = null;

/** Makes a card known to the keys that answer, and move between, what waits. */
export function useCurrentCard(
  sessionId: string,
  requestId: string,
): RefObject<HTMLDivElement | null> {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const place = { sessionId, requestId, element };
    places.add(place);
    return () => {
      places.delete(place);
      if (current === element) current = null;
    };
  }, [sessionId, requestId]);
  return ref;
}

/** Binds the keys of the card around an element, while it can be answered. */
export function bindActions(inside: HTMLElement, bound: CardActions): () => void {
  actions.set(inside, bound);
  return () => {
    actions.delete(inside);
  };
}

/** The card that a key means: that with the focus, else the one last gone to, else the first that is in view. */
export function currentActions(): CardActions | null {
  const answerable = inOrder().filter((place) => actionsIn(place.element));
  const focused = answerable.find((place) => place.element.contains(document.activeElement));
  const chosen = answerable.find((place) => place.element === current);
  const visible = answerable.filter((place) => isInView(place.element));
  const meant = focused ?? (chosen && visible.includes(chosen) ? chosen : undefined) ?? visible[0];
  return meant && (meant === focused || isInView(meant.element)) ? actionsIn(meant.element) : null;
}

/** Go to the next or the previous that waits; false: there is none. */
export function goToPending(step: 1 | -1): boolean {
  const answerable = inOrder().filter((place) => actionsIn(place.element));
  if (answerable.length === 0) return false;
  const at = answerable.findIndex(
    (place) => place.element === current || place.element.contains(document.activeElement),
  );
  const from = at < 0 ? (step > 0 ? -1 : 0) : at;
  const next = answerable[(from + step + answerable.length) % answerable.length];
  return next ? goTo(next) : false;
}

export function goToRequest(requestId: string): boolean {
  const place = inOrder().find((one) => one.requestId === requestId);
  return place ? goTo(place) : false;
}

function goTo({ element }: CardPlace): boolean {
  current = element;
  element.scrollIntoView({ block: 'nearest' });
  element.querySelector<HTMLElement>('[data-request]')?.focus({ preventScroll: true });
  return true;
}

function actionsIn(card: HTMLElement): CardActions | null {
  for (const [element, bound] of actions) {
    if (card.contains(element)) return bound;
  }
  return null;
}

function inOrder(): CardPlace[] {
  return [...places].sort((one, other) =>
    one.element.compareDocumentPosition(other.element) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1,
  );
}

/** Its buttons can be seen: most of the card is on the screen, and nothing is over it. */
function isInView(card: HTMLElement): boolean {
  const box = card.getBoundingClientRect();
  const bottom = Math.min(box.bottom, window.innerHeight);
  const seen = bottom - Math.max(box.top, 0);
  if (box.height === 0 || seen < Math.min(box.height, window.innerHeight) * 0.5) return false;
  const x = box.left + box.width / 2;
  const hit = document.elementFromPoint(x, Math.max(0, bottom - 8));
  return hit === null || card.contains(hit);
}
