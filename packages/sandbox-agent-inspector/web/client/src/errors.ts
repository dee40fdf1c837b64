/** What can go wrong between this program and the server. */

import type { Problem } from './api/schema.ts';

const CODE_PREFIX = 'urn:sandbox-agent:error:';

/** The server answered, and refused. `code` is API, `message` is a sentence for people that says what to do. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
  /** In how many seconds another try makes sense, if the server says. */
  readonly retryAfterS: number | null;

  constructor(status: number, problem: Partial<Problem>, retryAfterS: number | null = null) {
    const detail = problem.detail ?? problem.title ?? `The server answered with status ${status}.`;
    super(detail);
    this.status = status;
    this.code = problem.type?.startsWith(CODE_PREFIX)
      ? problem.type.slice(CODE_PREFIX.length)
      : `http_${status}`;
    this.detail = detail;
    this.retryable = problem.retryable ?? (status === 429 || status >= 500);
    this.details = isRecord(problem.details) ? problem.details : {};
    this.retryAfterS = retryAfterS;
  }

  /** The error in an answer that is not `ok`, whatever wrote it: a proxy in between answers without a problem. */
  static async of(response: Response): Promise<ApiError> {
    const text = await response.text().catch(() => '');
    const retryAfter = Number.parseFloat(response.headers.get('retry-after') ?? '');
    return new ApiError(
      response.status,
      problemIn(text) ?? {},
      Number.isFinite(retryAfter) ? retryAfter : null,
    );
  }
}

/** There was no answer: the server is gone, or the way to it. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  readonly retryable = true;

  constructor(url: string, cause: unknown) {
    const why = cause instanceof Error && cause.message ? ` (${cause.message})` : '';
    super(`No answer from ${url}${why}. Is the server running, and can it be reached?`, { cause });
  }
}

/**
 * Whether the server has not answered: nobody did, or what is between it and this program said so in its place. What
 * was sent may have arrived all the same.
 */
export function isUnanswered(error: unknown): boolean {
  if (error instanceof NetworkError) return true;
  return error instanceof ApiError && UNANSWERED.has(error.code);
}

/** Of `sandbox-agent ui`, and of a proxy, which writes no problem. */
const UNANSWERED: ReadonlySet<string> = new Set([
  'server_unreachable',
  'http_502',
  'http_503',
  'http_504',
]);

/** The problem that a text is, or nothing. */
export function problemIn(text: string): Partial<Problem> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
