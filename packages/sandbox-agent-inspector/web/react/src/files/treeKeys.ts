import { parentPath } from './paths.ts';
import type { TreeRow } from './tree.ts';

/** What a key does in a tree, as ARIA's pattern has it. */
export type TreeAction =
  | { do: 'move'; path: string }
  | { do: 'expand' | 'collapse' | 'open' | 'rename' | 'remove'; path: string }
  | { do: 'nothing' };

export function actionOfKey(
  rows: readonly TreeRow[],
  current: string | null,
  key: string,
  pageSize: number,
): TreeAction | null {
  if (rows.length === 0) return null;
  const found = rows.findIndex((row) => row.path === current);
  const at = Math.max(found, 0);
  const row = rows[at];
  if (!row) return null;
  const move = (index: number): TreeAction => {
    const target = rows[Math.min(Math.max(index, 0), rows.length - 1)];
    return target ? { do: 'move', path: target.path } : { do: 'nothing' };
  };
  switch (key) {
    case 'ArrowDown':
      return found < 0 ? move(0) : move(at + 1);
    case 'ArrowUp':
      return move(at - 1);
    case 'PageDown':
      return move(at + pageSize);
    case 'PageUp':
      return move(at - pageSize);
    case 'Home':
      return move(0);
    case 'End':
      return move(rows.length - 1);
    case 'ArrowRight':
      if (!row.isDirectory) return { do: 'nothing' };
      if (!row.isExpanded) return { do: 'expand', path: row.path };
      return (rows[at + 1]?.level ?? 0) > row.level ? move(at + 1) : { do: 'nothing' };
    case 'ArrowLeft': {
      if (row.isExpanded) return { do: 'collapse', path: row.path };
      const parent = rows.findIndex((one) => one.path === parentPath(row.path));
      return parent < 0 ? { do: 'nothing' } : move(parent);
    }
    case 'Enter':
    case ' ':
      return { do: 'open', path: row.path };
    case 'F2':
      return { do: 'rename', path: row.path };
    case 'Delete':
      return { do: 'remove', path: row.path };
    default:
      return null;
  }
}

/** The next row whose name begins with what was typed, from behind the current one and around. */
export function rowByTyping(
  rows: readonly TreeRow[],
  current: string | null,
  typed: string,
): string | null {
  const at = rows.findIndex((row) => row.path === current);
  const wanted = typed.toLowerCase();
  // One letter goes on to the next name; more letters may still mean the same one.
  const from = typed.length === 1 ? at + 1 : Math.max(at, 0);
  for (let step = 0; step < rows.length; step++) {
    const row = rows[(from + step) % rows.length];
    if (row?.name.toLowerCase().startsWith(wanted)) return row.path;
  }
  return null;
}
