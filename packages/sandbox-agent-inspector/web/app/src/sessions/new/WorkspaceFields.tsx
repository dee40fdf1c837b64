/** What is put into the folder before the agent starts: a repository, files. */
import { FileUp, X } from 'lucide-react';
import { useRef } from 'react';
import { foreign } from 'sandbox-agent-react';
import { Button, IconButton, TextField } from '../../ui/index.ts';
import { editDraft } from './choices.ts';
import type { FieldProblems, SessionDraft } from './draft.ts';
import styles from './WorkspaceFields.module.css';

function size(bytes: number): string {
  return bytes < 1000
    ? `${bytes} B`
    : bytes < 1_000_000
      ? `${(bytes / 1000).toFixed(1)} kB`
      : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export function WorkspaceFields({
  draft,
  problems,
}: {
  draft: SessionDraft;
  problems: FieldProblems;
}) {
  const picker = useRef<HTMLInputElement>(null);
  return (
    <div className={styles.workspace}>
      <div className={styles.clone}>
        <TextField
          className={styles.url ?? ''}
          label="Clone a repository"
          placeholder="https://github.com/owner/repository"
          description="Into the folder, which is new or empty; without one it is named as the repository is."
          value={draft.cloneUrl}
          onChange={(cloneUrl) => editDraft({ cloneUrl })}
          error={problems.cloneUrl ?? null}
          mono
        />
        <TextField
          className={styles.ref ?? ''}
          label="Branch, tag or commit"
          placeholder="Default"
          value={draft.cloneRef}
          onChange={(cloneRef) => editDraft({ cloneRef })}
          mono
        />
      </div>
      <div className={styles.files}>
        <Button
          size="small"
          icon={<FileUp size={14} aria-hidden />}
          onPress={() => picker.current?.click()}
        >
          Upload files into it
        </Button>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            editDraft({ files: [...draft.files, ...(event.target.files ?? [])] });
            event.target.value = '';
          }}
        />
        {draft.files.length > 0 ? (
          <ul>
            {draft.files.map((file) => (
              <li key={`${file.name} ${file.size} ${file.lastModified}`}>
                <bdi>{foreign(file.name)}</bdi> <small>{size(file.size)}</small>
                <IconButton
                  label={`Leave ${foreign(file.name).slice(0, 60)} out`}
                  size="small"
                  onPress={() => editDraft({ files: draft.files.filter((each) => each !== file) })}
                >
                  <X size={14} />
                </IconButton>
              </li>
            ))}
          </ul>
        ) : null}
        {problems.files ? (
          <p className={styles.problem} role="alert">
            {problems.files}
          </p>
        ) : null}
      </div>
    </div>
  );
}
