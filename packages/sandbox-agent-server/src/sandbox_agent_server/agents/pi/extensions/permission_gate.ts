// Asks the host before every tool call, which Pi by itself never does, and after it where the session has
// hooks. What needs no asking, and what "always" covers, is for the host to decide: it answers those at once.
//
// Types are written out here so that the file loads under every name that Pi's package has had.

import { readFileSync, realpathSync, statSync } from "node:fs";
import { resolve, sep } from "node:path";

interface ToolCall {
  toolName: string;
  toolCallId: string;
  input: unknown;
}

interface ToolResult extends ToolCall {
  content: { type: string; text?: string }[];
  isError: boolean;
}

interface Context {
  cwd: string;
  signal?: AbortSignal;
  ui: {
    select(
      title: string,
      options: string[],
      dialog?: { signal?: AbortSignal },
    ): Promise<string | undefined>;
  };
}

interface Pi {
  on(
    event: "tool_call",
    handler: (call: ToolCall, context: Context) => Promise<{ block: true; reason: string } | undefined>,
  ): void;
  on(
    event: "tool_result",
    handler: (
      result: ToolResult,
      context: Context,
    ) => Promise<{ content: ToolResult["content"] } | undefined>,
  ): void;
}

// What the host says beside a plain word, as JSON.
interface Said {
  input?: Record<string, unknown>;
  message?: string;
  context?: string;
}

const ALLOW = "allow";
const REJECT = "reject";
const GO_ON = "go on";
const REJECTED = "The user rejected this tool call. Do not try it again unless they ask for it.";
const CANCELLED = "The permission request was cancelled.";
const MAX_SHOWN_BYTES = 256 * 1024;

function said(answer: string | undefined): Said {
  return answer?.startsWith("{") ? JSON.parse(answer) : {};
}

// What a file in the workspace holds that is about to be written over: nobody tells that later.
function overwritten(call: ToolCall, cwd: string): string | undefined {
  const path = (call.input as { path?: unknown } | undefined)?.path;
  if (call.toolName !== "write" || typeof path !== "string") return undefined;
  try {
    const file = realpathSync(resolve(cwd, path));
    if (!file.startsWith(realpathSync(cwd) + sep) || statSync(file).size > MAX_SHOWN_BYTES) return undefined;
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

export default function (pi: Pi) {
  pi.on("tool_call", async (call, context) => {
    const asked = {
      sandboxAgent: "permission",
      toolCallId: call.toolCallId,
      toolName: call.toolName,
      input: call.input,
      overwritten: overwritten(call, context.cwd),
    };
    // With the signal: without it an abort while the dialog is open leaves Pi waiting for ever.
    const answer = await context.ui.select(JSON.stringify(asked), [ALLOW, REJECT], {
      signal: context.signal,
    });
    if (answer === ALLOW) return undefined;
    const { input, message } = said(answer);
    if (input === undefined) {
      return { block: true, reason: message ?? (answer === REJECT ? REJECTED : CANCELLED) };
    }
    // Pi runs what is in this very object.
    const given = call.input as Record<string, unknown>;
    for (const key of Object.keys(given)) delete given[key];
    Object.assign(given, input);
    return undefined;
  });

  if (!process.env.SANDBOX_AGENT_HOOKS) return;
  pi.on("tool_result", async (result, context) => {
    const text = result.content.map((block) => block.text ?? "").join("\n");
    const asked = {
      sandboxAgent: "result",
      toolCallId: result.toolCallId,
      toolName: result.toolName,
      input: result.input,
      isError: result.isError,
      text: text.slice(0, MAX_SHOWN_BYTES),
    };
    const answer = await context.ui.select(JSON.stringify(asked), [GO_ON], { signal: context.signal });
    const added = said(answer).context;
    return added ? { content: [...result.content, { type: "text", text: added }] } : undefined;
  });
}
