/** Where a reader was in each session: kept over a change of session and a reload. */
import type { Place } from './keeper.ts';

const MOST_PLACES = 100;

export class PlaceMemory {
  private readonly storage: Pick<Storage, 'getItem' | 'setItem'> | null;
  private readonly key: string;
  private readonly places: Map<string, Place>;

  constructor(storage: Pick<Storage, 'getItem' | 'setItem'> | null, key: string) {
    this.storage = storage;
    this.key = key;
    this.places = new Map(this.read());
  }

  get(session: string): Place | null {
    return this.places.get(session) ?? null;
  }

  /** null: at the end. */
  set(session: string, place: Place | null): void {
    this.places.delete(session);
    if (place !== null) this.places.set(session, place);
    for (const oldest of this.places.keys()) {
      if (this.places.size <= MOST_PLACES) break;
      this.places.delete(oldest);
    }
    try {
      this.storage?.setItem(this.key, JSON.stringify([...this.places]));
    } catch {
      // Without a storage the place is kept as long as the page.
    }
  }

  private read(): [string, Place][] {
    try {
      const stored: unknown = JSON.parse(this.storage?.getItem(this.key) ?? '[]');
      return Array.isArray(stored) ? stored.filter(isEntry) : [];
    } catch {
      return [];
    }
  }
}

function isEntry(value: unknown): value is [string, Place] {
  if (!Array.isArray(value) || typeof value[0] !== 'string') return false;
  const place: unknown = value[1];
  return (
    typeof place === 'object' &&
    place !== null &&
    'key' in place &&
    typeof place.key === 'string' &&
    'offset' in place &&
    Number.isFinite(place.offset)
  );
}
