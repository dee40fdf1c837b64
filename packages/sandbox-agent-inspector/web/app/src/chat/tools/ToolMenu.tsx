import { Braces, Clipboard, Ellipsis, FileText, ListTree } from 'lucide-react';
import type { ToolItem } from 'sandbox-agent-client';
import { absolutePath, commandOutput, plainText, type ToolSummary } from 'sandbox-agent-react';
import { copyText } from '../../shell/clipboard.ts';
import { paths, useNavigate } from '../../shell/navigation.ts';
import { IconButton, Menu, type MenuEntry } from '../../ui/index.ts';

interface ToolMenuProps {
  item: ToolItem;
  summary: ToolSummary;
  sessionId: string;
  cwd: string | null;
  showsRaw: boolean;
  onRaw: () => void;
}

export function ToolMenu({ item, summary, sessionId, cwd, showsRaw, onRaw }: ToolMenuProps) {
  const navigate = useNavigate();
  const output = outputOf(item, summary);
  const { path } = summary;
  const entries: MenuEntry[] = [
    ...(summary.sort === 'execute' && summary.command
      ? [{ id: 'command', label: 'Copy command', icon: <Clipboard /> }]
      : [{ id: 'input', label: 'Copy input', icon: <Clipboard /> }]),
    ...(output === '' ? [] : [{ id: 'output', label: 'Copy output', icon: <Clipboard /> }]),
    ...(path === null ? [] : [{ id: 'file', label: 'Open file', icon: <FileText /> }]),
    { id: 'timeline', label: 'Show in timeline', icon: <ListTree /> },
    { id: 'raw', label: showsRaw ? 'Hide details' : 'Show details', icon: <Braces /> },
  ];
  const act = (id: string) => {
    if (id === 'command') void copyText(summary.command ?? '', 'Command');
    else if (id === 'input') void copyText(written(item.input), 'Input');
    else if (id === 'output') void copyText(output, 'Output');
    else if (id === 'timeline') navigate(paths.event(sessionId, item.seq));
    else if (id === 'raw') onRaw();
    else if (id === 'file' && path !== null) {
      const lines = summary.line === null ? null : `L${summary.line}`;
      navigate(paths.sessionFiles(sessionId, absolutePath(path, cwd), lines));
    }
  };
  return (
    <Menu
      label="What can be done with this call"
      entries={entries}
      onAction={act}
      placement="bottom end"
      trigger={
        <IconButton label="More" size="small">
          <Ellipsis />
        </IconButton>
      }
    />
  );
}

function outputOf(item: ToolItem, summary: ToolSummary): string {
  if (summary.sort === 'execute') {
    const { text, stderr } = commandOutput(item);
    return plainText(text + stderr);
  }
  const texts = (item.content ?? []).flatMap((block) =>
    block.type === 'text' && typeof block.text === 'string' ? [block.text] : [],
  );
  return texts.length > 0 ? texts.join('\n') : written(item.output);
}

function written(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}
