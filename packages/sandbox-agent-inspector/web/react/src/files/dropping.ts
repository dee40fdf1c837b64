import { joinPath } from './paths.ts';

/** A file to upload, with its path below the directory that it goes to. */
export interface UploadFile {
  path: string;
  file: File;
}

/** What was dropped: files, and whole folders. To be called in the event itself; the reading comes after it. */
export function droppedFiles(transfer: DataTransfer): Promise<UploadFile[]> {
  const entries: FileSystemEntry[] = [];
  const loose: File[] = [];
  for (const item of Array.from(transfer.items)) {
    if (item.kind !== 'file') continue;
    const entry = item.webkitGetAsEntry?.();
    if (entry) entries.push(entry);
    else {
      const file = item.getAsFile();
      if (file) loose.push(file);
    }
  }
  return read(entries, loose);
}

/** What was chosen in a picker, also in one for folders. */
export function chosenFiles(files: Iterable<File>): UploadFile[] {
  return Array.from(files, (file) => ({ path: file.webkitRelativePath || file.name, file }));
}

async function read(entries: FileSystemEntry[], loose: File[]): Promise<UploadFile[]> {
  const found: UploadFile[] = chosenFiles(loose);
  const walk = async (entry: FileSystemEntry, above: string): Promise<void> => {
    const path = above === '' ? entry.name : joinPath(above, entry.name);
    if (entry.isFile) {
      const file = await new Promise<File>((resolve, reject) =>
        (entry as FileSystemFileEntry).file(resolve, reject),
      );
      found.push({ path, file });
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    // A reader tells a hundred at a time, and none when it is through.
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      );
      if (some.length === 0) break;
      for (const one of some) await walk(one, path);
    }
  };
  for (const entry of entries) await walk(entry, '');
  return found;
}
