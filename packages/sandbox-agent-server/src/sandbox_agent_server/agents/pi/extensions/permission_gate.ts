// Asks the host before every tool call, which Pi by itself never does. What needs no asking, and what
// "always" covers, is for the host to decide: it answers those at once.
//
// Types are written out here so that the file loads under every name that Pi's package has had.

interface ToolCall {
  toolName: string;
  toolCallId: string;
  input: unknown;
}

interface Context {
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
}

const ALLOW = "allow";
const REJECT = "reject";
const REJECTED = "The user rejected this tool call. Do not try it again unless they ask for it.";
const CANCELLED = "The permission request was cancelled.";

export default function (pi: Pi) {
  pi.on("tool_call", async (call, context) => {
    const asked = {
      sandboxAgent: "permission",
      toolCallId: call.toolCallId,
      toolName: call.toolName,
      input: call.input,
    };
    // With the signal: without it an abort while the dialog is open leaves Pi waiting for ever.
    const answer = await context.ui.select(JSON.stringify(asked), [ALLOW, REJECT], {
      signal: context.signal,
    });
    if (answer === ALLOW) return undefined;
    return { block: true, reason: answer === REJECT ? REJECTED : CANCELLED };
  });
}
