import type { Contents, TurnRange } from 'sandbox-agent-react/export';

export type ExportFormat = 'html' | 'markdown' | 'jsonl';

/** What the dialog tells the worker. */
export type ToWorker =
  | { readonly type: 'page'; readonly text: string }
  | { readonly type: 'make'; readonly id: number; readonly request: ExportRequest };

export interface ExportRequest {
  readonly format: ExportFormat;
  readonly range: TurnRange | null;
  readonly reasoning: boolean;
  readonly details: boolean;
  readonly version: string;
}

export type FromWorker =
  | { readonly type: 'made'; readonly id: number; readonly made: MadeExport }
  | { readonly type: 'failed'; readonly id: number; readonly message: string };

export interface MadeExport {
  readonly blob: Blob;
  /** Its first lines. */
  readonly beginning: string;
  readonly events: number;
  readonly contents: Contents;
  /** Of the whole session: what a range is chosen from. */
  readonly turns: readonly string[];
}
