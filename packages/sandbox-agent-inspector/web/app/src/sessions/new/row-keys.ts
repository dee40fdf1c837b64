/** Keys for rows that have nothing else to be told apart by. */
let last = 0;

export function nextKey(): number {
  last += 1;
  return last;
}
