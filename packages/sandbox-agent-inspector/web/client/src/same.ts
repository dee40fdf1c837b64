/** Whether two JSON values are equal. What is absent and what is undefined are the same. */
export function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return false;
  }
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
    return one.every((value, index) => isSame(value, other[index]));
  }
  return isCovered(one, other, true) && isCovered(other, one, false);
}

function isCovered(one: object, other: object, isCompared: boolean): boolean {
  for (const [key, value] of Object.entries(one)) {
    if (value === undefined) continue;
    const there: unknown = Object.hasOwn(other, key) ? Reflect.get(other, key) : undefined;
    if (there === undefined || (isCompared && !isSame(value, there))) return false;
  }
  return true;
}
