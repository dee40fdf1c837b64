/** Whether two JSON values are equal. What is absent and what is undefined are the same. */
export function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (!isObject(one) || !isObject(other)) return false;
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
    return one.every((value, index) => isSame(value, other[index]));
  }
  // `for in`, because this compares whole transcripts: lists of keys would be most of the work.
  for (const key in one) {
    if (one[key] !== undefined && !isSame(one[key], memberOf(other, key))) return false;
  }
  for (const key in other) {
    if (other[key] !== undefined && memberOf(one, key) === undefined) return false;
  }
  return true;
}

function memberOf(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
