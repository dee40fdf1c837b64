import { Copy, Download } from 'lucide-react';
import { useMemo, useState } from 'react';
import { formatBytes, formatCount, useServer } from 'sandbox-agent-react';
import type { Contents } from 'sandbox-agent-react/export';
import { copyText } from '../shell/clipboard.ts';
import { Banner, Button, Dialog, Foreign, Select, Skeleton, Switch } from '../ui/index.ts';
import styles from './ExportDialog.module.css';
import type { ExportFormat, ExportRequest, MadeExport } from './protocol.ts';
import { useExport } from './useExport.ts';

interface ExportDialogProps {
  sessionId: string;
  onClose: () => void;
}

const FORMATS = [
  { id: 'html', label: 'HTML', description: 'One file that opens anywhere, without a script' },
  { id: 'markdown', label: 'Markdown', description: 'For an issue or a review' },
  { id: 'jsonl', label: 'JSON lines', description: 'The events, as the API has them' },
] as const;
const ENDINGS: Record<ExportFormat, string> = { html: 'html', markdown: 'md', jsonl: 'jsonl' };
const WHOLE = 'whole';

/** Take a session along: what is in it is shown before it is saved. */
export function ExportDialog({ sessionId, onClose }: ExportDialogProps) {
  const version = useServer().health?.version ?? '';
  const [format, setFormat] = useState<ExportFormat>('html');
  const [from, setFrom] = useState<string>(WHOLE);
  const [to, setTo] = useState<string>(WHOLE);
  const [reasoning, setReasoning] = useState(true);
  const [details, setDetails] = useState(true);
  const request = useMemo<ExportRequest>(() => {
    const range =
      from === WHOLE ? null : { from: Number(from), to: Number(to === WHOLE ? from : to) };
    return { format, range, reasoning, details, version };
  }, [format, from, to, reasoning, details, version]);
  const { read, made, isBusy, problem } = useExport(sessionId, request);
  const name = `${sessionId.replace(/[^\w.-]/g, '_').slice(0, 80)}.${ENDINGS[format]}`;

  return (
    <Dialog
      title="Export session"
      size="large"
      isOpen
      onOpenChange={(isOpen) => isOpen || onClose()}
      footer={<Footer made={made} isBusy={isBusy} format={format} name={name} />}
    >
      <div className={styles.body}>
        <div className={styles.choices}>
          <Select
            label="Format"
            value={format}
            onChange={(id) => setFormat(id as ExportFormat)}
            options={FORMATS}
          />
          <Range
            turns={made?.turns ?? []}
            from={from}
            to={to}
            onChange={(nextFrom, nextTo) => {
              setFrom(nextFrom);
              setTo(nextTo);
            }}
          />
          {format !== 'jsonl' && (
            <>
              <Switch isSelected={reasoning} onChange={setReasoning}>
                Reasoning
              </Switch>
              <Switch
                isSelected={details}
                onChange={setDetails}
                description="What tools were given, what they answered, and diffs"
              >
                Details of tools
              </Switch>
            </>
          )}
          {made && <ContentsList contents={made.contents} events={made.events} />}
        </div>
        <section className={styles.preview} aria-label="Preview" aria-busy={isBusy}>
          {problem ? (
            <Banner tone="err" title="This could not be exported">
              {problem}
            </Banner>
          ) : made ? (
            <pre className={styles.text}>{made.beginning}</pre>
          ) : (
            <div className={styles.loading}>
              <p role="status">Reading the log… {Math.round(read * 100)} %</p>
              <Skeleton lines={[80, 92, 64, 70, 88]} />
            </div>
          )}
        </section>
      </div>
    </Dialog>
  );
}

interface FooterProps {
  made: MadeExport | null;
  isBusy: boolean;
  format: ExportFormat;
  name: string;
}

function Footer({ made, isBusy, format, name }: FooterProps) {
  return (
    <>
      <p className={styles.hint}>
        Secrets that the server knows are taken out of its log. Look for others before you send it.
      </p>
      {format !== 'html' && (
        <Button
          icon={<Copy />}
          isDisabled={!made || isBusy}
          onPress={async () => made && copyText(await made.blob.text(), 'Export')}
        >
          Copy
        </Button>
      )}
      <Button
        look="primary"
        icon={<Download />}
        isDisabled={!made || isBusy}
        onPress={() => made && save(made.blob, name)}
      >
        {made && !isBusy ? `Save ${formatBytes(made.blob.size)}` : 'Save'}
      </Button>
    </>
  );
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has begun by then; kept longer it would hold the whole file in memory.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

interface RangeProps {
  turns: readonly string[];
  from: string;
  to: string;
  onChange: (from: string, to: string) => void;
}

function Range({ turns, from, to, onChange }: RangeProps) {
  if (turns.length < 2) return null;
  const options = turns.map((title, index) => ({
    id: String(index),
    label: `Turn ${index + 1}`,
    description: title,
  }));
  return (
    <div className={styles.range}>
      <Select
        label="From"
        value={from}
        onChange={(id) => onChange(id, id === WHOLE || Number(to) < Number(id) ? id : to)}
        options={[{ id: WHOLE, label: 'Whole session' }, ...options]}
      />
      {from !== WHOLE && (
        <Select
          label="To"
          value={to === WHOLE ? from : to}
          onChange={(id) => onChange(from, id)}
          options={options.slice(Number(from))}
        />
      )}
    </div>
  );
}

const NAMES: Record<Contents['shares'][number]['what'], string> = {
  prompts: 'Prompts',
  messages: 'Messages',
  reasoning: 'Reasoning',
  tools: 'Tool calls',
  requests: 'Permissions and questions',
  attachments: 'Attachments',
};
const SHOWN_PATHS = 50;

function ContentsList({ contents, events }: { contents: Contents; events: number }) {
  return (
    <div className={styles.contents}>
      <h3 className={styles.title}>What is in it</h3>
      <table className={styles.table}>
        <tbody>
          <tr>
            <th scope="row">Events</th>
            <td>{formatCount(events)}</td>
            <td />
          </tr>
          {contents.shares.map(({ what, count, chars }) => (
            <tr key={what}>
              <th scope="row">{NAMES[what]}</th>
              <td>{formatCount(count)}</td>
              <td>{formatBytes(chars)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {contents.paths.length > 0 && (
        <details className={styles.paths}>
          <summary>
            {contents.paths.length === 1
              ? '1 file is named'
              : `${formatCount(contents.paths.length)} files are named`}
          </summary>
          <ul>
            {contents.paths.slice(0, SHOWN_PATHS).map((path) => (
              <li key={path}>
                <Foreign text={path} maxChars={60} />
              </li>
            ))}
            {contents.paths.length > SHOWN_PATHS && <li>…</li>}
          </ul>
        </details>
      )}
    </div>
  );
}
