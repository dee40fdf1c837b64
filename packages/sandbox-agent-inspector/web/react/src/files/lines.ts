/** Lines of a file in a link: `L10`, `L10-L20`. */
export interface LineRange {
  from: number;
  to: number;
}

export function parseLines(text: string | null | undefined): LineRange | null {
  const found = /^[?#]?L(\d{1,9})(?:-L?(\d{1,9}))?=?$/.exec(text ?? '');
  if (!found) return null;
  const from = Number(found[1]);
  const to = found[2] === undefined ? from : Number(found[2]);
  if (from < 1 || to < 1) return null;
  return from <= to ? { from, to } : { from: to, to: from };
}

export function writtenLines({ from, to }: LineRange): string {
  return from === to ? `L${from}` : `L${from}-L${to}`;
}
