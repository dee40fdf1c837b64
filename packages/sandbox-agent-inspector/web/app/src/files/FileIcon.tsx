import { File, FileCode, FileImage, FileText, Folder, FolderOpen, Link } from 'lucide-react';
import { extensionOf } from 'sandbox-agent-react';

const CODE = new Set(
  'c cc cpp css go h hpp html java js json jsx kt lua mjs php py rb rs sh sql swift toml ts tsx vue xml yaml yml'.split(
    ' ',
  ),
);
const TEXT = new Set(['md', 'mdx', 'rst', 'txt', 'log', 'csv', 'adoc']);

export const IMAGES: Readonly<Record<string, string>> = {
  avif: 'image/avif',
  bmp: 'image/bmp',
  gif: 'image/gif',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  png: 'image/png',
  svg: 'image/svg+xml',
  webp: 'image/webp',
};

interface FileIconProps {
  path: string;
  isDirectory?: boolean;
  isExpanded?: boolean;
  isLink?: boolean;
  className?: string;
}

export function FileIcon({ path, isDirectory, isExpanded, isLink, className }: FileIconProps) {
  const Icon = iconOf(path, isDirectory, isExpanded, isLink);
  return <Icon aria-hidden className={className} />;
}

function iconOf(path: string, isDirectory = false, isExpanded = false, isLink = false) {
  if (isDirectory) return isExpanded ? FolderOpen : Folder;
  if (isLink) return Link;
  const extension = extensionOf(path);
  if (extension in IMAGES) return FileImage;
  if (CODE.has(extension)) return FileCode;
  return TEXT.has(extension) ? FileText : File;
}
