/** How well words fit what was typed: beginnings of words first, then parts, then letters in order. Pure. */

/** Higher is better; null when it does not fit. */
export function rank(text: string, typed: string): number | null {
  const wanted = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const lower = text.toLowerCase();
  let total = 0;
  for (const word of wanted) {
    const score = rankWord(lower, word);
    if (score === null) {
      return null;
    }
    total += score;
  }
  return total;
}

function rankWord(text: string, word: string): number | null {
  if (text.startsWith(word)) {
    return 100;
  }
  const at = text.indexOf(word);
  if (at > 0) {
    return /[\s/_.:-]/.test(text.charAt(at - 1)) ? 80 : 50;
  }
  // Letters in order, close to each other: `nses` finds "New session".
  let from = 0;
  let first = -1;
  for (const letter of word) {
    const found = text.indexOf(letter, from);
    if (found < 0) {
      return null;
    }
    first = first < 0 ? found : first;
    from = found + 1;
  }
  const spread = from - first;
  return word.length >= 2 && spread <= word.length * 3
    ? 30 - Math.min(20, spread - word.length)
    : null;
}

export function ranked<T>(
  all: readonly T[],
  typed: string,
  textOf: (each: T) => string,
  most: number,
): readonly T[] {
  if (typed.trim() === '') {
    return all.slice(0, most);
  }
  return all
    .flatMap((each, index) => {
      const score = rank(textOf(each), typed);
      return score === null ? [] : [{ each, score, index }];
    })
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, most)
    .map(({ each }) => each);
}
