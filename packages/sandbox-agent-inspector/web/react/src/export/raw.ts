/**
 * The texts of the events in a page of the API, byte for byte: parsed and written again a number like `1.0` would be
 * another text. Throws a SyntaxError when the page is none.
 */
export function eventTexts(page: string): string[] {
  const list = /"events"\s*:\s*\[/.exec(page);
  // The first member of a page: before it no text of anybody else can stand.
  if (!list || page.slice(0, list.index).trim() !== '{')
    throw new SyntaxError('not a page of events');
  const texts: string[] = [];
  let depth = 0;
  let from = -1;
  for (let at = list.index + list[0].length; at < page.length; at += 1) {
    switch (page.charCodeAt(at)) {
      case 34: // "
        at = endOfString(page, at);
        break;
      case 123: // {
      case 91: // [
        if (depth === 0) from = at;
        depth += 1;
        break;
      case 125: // }
      case 93: // ]
        if (depth === 0) return texts;
        depth -= 1;
        if (depth === 0) texts.push(page.slice(from, at + 1));
        break;
    }
  }
  throw new SyntaxError('the page of events has no end');
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at += 1) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === 92) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
}
