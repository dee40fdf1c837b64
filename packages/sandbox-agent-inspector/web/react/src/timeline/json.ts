/** A JSON value as rows of a tree: only what is open is looked at, so a value of any size costs what is shown of it. */
export interface JsonRow {
  /** Unique in the tree. Names are quoted, because they may have anything in them. */
  readonly path: string;
  readonly depth: number;
  readonly name: string | null;
  readonly kind: 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null' | 'more';
  readonly value: unknown;
  readonly open: boolean;
  readonly size: number;
}

export interface JsonView {
  readonly open: ReadonlySet<string>;
  /** How many children of a path are shown, where "more" was asked for. */
  readonly shown: ReadonlyMap<string, number>;
}

export const CHILDREN = 200;
/** Characters of a string before "show all". */
export const STRING_CUT = 400;

const ROOT = '$';

export function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function kindOf(value: unknown): JsonRow['kind'] {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'object':
      return 'object';
    case 'number':
    case 'bigint':
      return 'number';
    case 'boolean':
      return 'boolean';
    default:
      return 'string';
  }
}

/** Opens the root, and what is short and near to it: most events are read without a click. */
export function initialView(value: unknown): JsonView {
  const open = new Set<string>();
  const visit = (one: unknown, path: string, depth: number) => {
    if (!isContainer(one)) return;
    const names = Object.keys(one);
    if (depth > 0 && names.length > 12) return;
    open.add(path);
    if (depth >= 2) return;
    for (const name of names.slice(0, CHILDREN)) {
      visit((one as Record<string, unknown>)[name], childPath(path, name), depth + 1);
    }
  };
  visit(value, ROOT, 0);
  return { open, shown: new Map() };
}

function childPath(path: string, name: string): string {
  return `${path}/${JSON.stringify(name)}`;
}

export function jsonRows(value: unknown, view: JsonView): JsonRow[] {
  const rows: JsonRow[] = [];
  // Its own stack: a hostile value may be nested deeper than calls can be.
  const stack: {
    value: unknown;
    path: string;
    depth: number;
    name: string | null;
    more?: number;
  }[] = [{ value, path: ROOT, depth: 0, name: null }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next.more !== undefined) {
      const { path, depth } = next;
      rows.push({
        path,
        depth,
        name: null,
        kind: 'more',
        value: null,
        open: false,
        size: next.more,
      });
      continue;
    }
    const names = isContainer(next.value) ? Object.keys(next.value) : [];
    const open = names.length > 0 && view.open.has(next.path);
    rows.push({
      path: next.path,
      depth: next.depth,
      name: next.name,
      kind: kindOf(next.value),
      value: next.value,
      open,
      size: typeof next.value === 'string' ? next.value.length : names.length,
    });
    if (!open) continue;
    const shown = names.slice(0, view.shown.get(next.path) ?? CHILDREN);
    const depth = next.depth + 1;
    if (shown.length < names.length) {
      const path = `${next.path}/…`;
      stack.push({ value: null, path, depth, name: null, more: names.length - shown.length });
    }
    for (const name of shown.reverse()) {
      const child = (next.value as Record<string, unknown>)[name];
      stack.push({ value: child, path: childPath(next.path, name), depth, name });
    }
  }
  return rows;
}

export function withToggled(view: JsonView, path: string): JsonView {
  const open = new Set(view.open);
  if (!open.delete(path)) open.add(path);
  return { ...view, open };
}

/** `path` is that of the "more" row. */
export function withMore(view: JsonView, path: string): JsonView {
  const parent = path.slice(0, -2);
  const shown = new Map(view.shown);
  shown.set(parent, (shown.get(parent) ?? CHILDREN) + CHILDREN);
  return { ...view, shown };
}
