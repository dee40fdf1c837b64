import { ChevronRight, Ellipsis } from 'lucide-react';
import { type KeyboardEvent, useEffect, useId, useLayoutEffect, useRef, useState } from 'react';
import {
  actionOfKey,
  droppedFiles,
  foreign,
  parentPath,
  rowByTyping,
  shortened,
  type TreeRow,
  type UploadFile,
  type UsedFileTree,
} from 'sandbox-agent-react';
import { Foreign, IconButton, Menu } from '../ui/index.ts';
import { FileIcon } from './FileIcon.tsx';
import styles from './FileTree.module.css';
import { entriesOf, type FileAction, MARKS } from './fileActions.ts';

interface FileTreeProps {
  files: UsedFileTree;
  label: string;
  active: string | null;
  onOpen: (path: string) => void;
  onAction: (action: FileAction, row: TreeRow) => void;
  onDrop: (directory: string, files: Promise<UploadFile[]>) => void;
}

const OVERSCAN = 12;
const TYPING_MS = 700;

/** A windowed ARIA tree: one tab stop, arrows, and typing of a name. */
export function FileTree({ files, label, active, onOpen, onAction, onDrop }: FileTreeProps) {
  const { tree, snapshot } = files;
  const { rows } = snapshot;
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const { first, last, height, onScroll, show } = useWindow(list, rows.length);
  const [current, setCurrent] = useState<string | null>(null);
  const [menuFor, setMenuFor] = useState<string | null>(null);
  const [target, setTarget] = useState<string | null>(null);
  const typed = useRef({ text: '', at: 0 });
  const at = rows.findIndex((row) => row.path === current);
  const focused = rows[at] ?? rows.find((row) => row.path === active) ?? rows[0];

  useEffect(() => {
    if (active === null) return;
    setCurrent(active);
    void tree.reveal(active);
  }, [tree, active]);

  const shownAt = focused ? rows.indexOf(focused) : -1;
  const [moved, setMoved] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a move by keys scrolls, rows that come do not
  useLayoutEffect(() => {
    if (shownAt >= 0) show(shownAt);
  }, [moved, active]);

  const move = (path: string) => {
    setCurrent(path);
    setMoved((before) => before + 1);
  };

  const open = (row: TreeRow) => {
    if (row.isDirectory) void tree.toggle(row.path);
    else onOpen(row.path);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== list.current || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = focused;
    if (!row) return;
    if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
      event.preventDefault();
      setMenuFor(row.path);
      return;
    }
    const page = Math.max(1, Math.floor((list.current?.clientHeight ?? 280) / height) - 1);
    const action = actionOfKey(rows, row.path, event.key, page);
    if (action) {
      event.preventDefault();
      event.stopPropagation();
      if (action.do === 'move') move(action.path);
      else if (action.do === 'expand') void tree.expand(action.path);
      else if (action.do === 'collapse') tree.collapse(action.path);
      else if (action.do === 'open') open(row);
      else if (action.do === 'rename' || action.do === 'remove') onAction(action.do, row);
      return;
    }
    if (event.key.length !== 1) return;
    const now = Date.now();
    const before = now - typed.current.at < TYPING_MS ? typed.current.text : '';
    typed.current = { text: before + event.key, at: now };
    const found = rowByTyping(rows, row.path, typed.current.text);
    event.stopPropagation();
    if (found !== null) move(found);
  };

  const dropTarget = (row: TreeRow | undefined): string =>
    row ? (row.isDirectory ? row.path : parentPath(row.path)) : tree.root;

  return (
    <div
      ref={list}
      role="tree"
      aria-label={label}
      aria-activedescendant={
        focused && shownAt >= first && shownAt < last ? `${id}-${shownAt}` : undefined
      }
      tabIndex={0}
      className={styles.tree}
      data-target={target === tree.root || undefined}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes('Files')) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = 'copy';
        setTarget(dropTarget(rowUnder(event.target, rows)));
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setTarget(null);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setTarget(null);
        const directory = dropTarget(rowUnder(event.target, rows));
        onDrop(directory, droppedFiles(event.dataTransfer));
      }}
    >
      <div className={styles.space} style={{ height: rows.length * height }}>
        {rows.slice(first, last).map((row, offset) => (
          <Row
            key={row.path}
            id={`${id}-${first + offset}`}
            index={first + offset}
            top={(first + offset) * height}
            row={row}
            isCurrent={row === focused}
            isOpen={row.path === active}
            isTarget={target === row.path}
            isMenuOpen={menuFor === row.path}
            onMenu={(isOpen) => {
              setMenuFor(isOpen ? row.path : null);
              if (!isOpen) list.current?.focus();
            }}
            onPress={() => {
              setCurrent(row.path);
              open(row);
            }}
            onAction={(action) => onAction(action, row)}
          />
        ))}
      </div>
    </div>
  );
}

interface RowProps {
  id: string;
  index: number;
  top: number;
  row: TreeRow;
  isCurrent: boolean;
  isOpen: boolean;
  isTarget: boolean;
  isMenuOpen: boolean;
  onMenu: (isOpen: boolean) => void;
  onPress: () => void;
  onAction: (action: FileAction) => void;
}

function Row({
  id,
  index,
  top,
  row,
  isCurrent,
  isOpen,
  isTarget,
  isMenuOpen,
  onMenu,
  onPress,
  onAction,
}: RowProps) {
  const mark = row.mark ? MARKS[row.mark] : null;
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus, and says which item is active
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree hears the keys
    <div
      id={id}
      role="treeitem"
      aria-label={shortened(foreign(row.name), 120) + (mark ? `, ${mark.words}` : '')}
      aria-level={row.level}
      aria-posinset={row.position}
      aria-setsize={row.setSize}
      aria-expanded={row.isDirectory ? row.isExpanded : undefined}
      aria-selected={isOpen}
      className={styles.row}
      style={{ top, paddingInlineStart: 4 + (row.level - 1) * 14 }}
      data-row={index}
      data-current={isCurrent || undefined}
      data-open={isOpen || undefined}
      data-target={isTarget || undefined}
      data-ignored={row.isIgnored || undefined}
      data-mark={row.mark ?? undefined}
      onClick={onPress}
      onContextMenu={(event) => {
        event.preventDefault();
        onMenu(true);
      }}
    >
      <ChevronRight
        aria-hidden
        className={styles.chevron}
        data-shown={row.isDirectory || undefined}
        data-expanded={row.isExpanded || undefined}
      />
      <FileIcon
        path={row.path}
        isDirectory={row.isDirectory}
        isExpanded={row.isExpanded}
        isLink={row.entry.kind === 'symlink'}
        className={styles.icon}
      />
      <Foreign text={row.name} maxChars={80} className={styles.name} />
      {row.problem && <span className={styles.problem}>cannot be read</span>}
      {row.isLoading && <span className={styles.note}>…</span>}
      {mark && (
        <span aria-hidden className={styles.mark} data-mark={row.mark}>
          {mark.letter}
        </span>
      )}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: keeps a press of the menu from being one of the row */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: as above */}
      <span className={styles.more} onClick={(event) => event.stopPropagation()}>
        <Menu
          label={`Actions for ${foreign(row.name)}`}
          isOpen={isMenuOpen}
          onOpenChange={onMenu}
          placement="bottom end"
          groups={entriesOf(row)}
          onAction={(action) => onAction(action as FileAction)}
          trigger={
            <IconButton label="Actions" size="small" excludeFromTabOrder>
              <Ellipsis />
            </IconButton>
          }
        />
      </span>
    </div>
  );
}

function rowUnder(target: EventTarget, rows: readonly TreeRow[]): TreeRow | undefined {
  if (!(target instanceof Element)) return undefined;
  const index = target.closest<HTMLElement>('[data-row]')?.dataset.row;
  return index === undefined ? undefined : rows[Number(index)];
}

/** Which rows of one height are in view. */
function useWindow(list: React.RefObject<HTMLDivElement | null>, count: number) {
  const [view, setView] = useState({ top: 0, size: 600, height: 28 });
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const measure = () => {
      const height = Number.parseFloat(getComputedStyle(element).getPropertyValue('--tree-row'));
      setView({
        top: element.scrollTop,
        size: element.clientHeight || 600,
        height: Number.isFinite(height) ? height : 28,
      });
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [list]);
  const first = Math.max(0, Math.floor(view.top / view.height) - OVERSCAN);
  const last = Math.min(count, Math.ceil((view.top + view.size) / view.height) + OVERSCAN);
  return {
    first,
    last,
    height: view.height,
    onScroll: () => {
      const top = list.current?.scrollTop ?? 0;
      setView((before) => ({ ...before, top }));
    },
    show: (index: number) => {
      const element = list.current;
      if (!element) return;
      const top = index * view.height;
      if (top < element.scrollTop) element.scrollTop = top;
      else if (top + view.height > element.scrollTop + element.clientHeight)
        element.scrollTop = top + view.height - element.clientHeight;
    },
  };
}
