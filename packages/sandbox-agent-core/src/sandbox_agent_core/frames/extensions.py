"""What the server adds to a log, as JSON-RPC notifications with an extension method.

ACP reserves methods that start with `_` for extensions, so an ACP tool that reads the frame view
skips these. The method is the type of the event that the entry becomes, after a prefix; `params` are the
event's data (docs/events.md), and `turnId` for the envelope where the entry is about a turn that does not
run. What is not in `params`:

    message.completed, reasoning.completed   no `text`: it is made from `content`, so that the log does not
                      hold it once more. Both carry what was streamed since the item's last completion:
                      an item is the concatenation of its completions

`annotations` stamped on other entries:

    session/request_permission, elicitation/create, _sandbox_agent/hook, _sandbox_agent/host_tool
                      {kind, expiresAt?, default}, of a permission or hook also
                      {command?, paths?, tool?: fields of earlier updates of its call that it leaves out,
                       hook?: before_tool | after_tool: a hook of the session is to answer}
    their responses   {kind, decidedBy: user|policy|timeout|cancel, optionId?, optionKind?, optionName?,
                       rule?, reply?, scope?, message?, updatedInput?, onReject?, actor?, answers?}
    tool_call_update that completes a tool call   {tool: fields of earlier updates this one leaves out}
    session/set_mode response {modeId};  session/set_model response {modelId};
    session/set_config_option response {configId, value}
    the answer that ends a turn   {cost?, usage?, modelCalls?: what the agent does not say itself, limit?: what stopped it}
    a prompt that was given limits   {limits}
    _sandbox_agent/model.responded   {turn: what the turn has used so far}
    an error that says nothing   {lastWords: the end of what the process wrote to stderr}
    a session/prompt that stands for an operation   {operation: review, emulated: true}
    _sandbox_agent/session.steer response   {steered: {turnId, content}}
    available_commands_update   {commands: those that the server adds}
    session/update while history is replayed by `session/load`   {replay: true}
    session/update after its turn has ended   {late: true}
    session/update of another session in the agent's process   {otherSession: its id}
    a request of the agent that was put to nobody   {refused: true}
    a chunk of a message after one that ended in the first half of a character   {half: that half}
    session/update that ends a tool call which has ended   {duplicate: true}
    task.* and turn.* of an agent   {background: true}; without it, it fits nothing (the end of what never
                      began), and is no event of that name

Agents, and their adapters, may say by these methods what ACP has no word for: that a background task begins,
goes on and ends (`task.*`), that they begin a turn which nobody prompted, and end it (`turn.started` with
`taskId`, `turn.ended` with `stopReason`, `usage`, `error`), that a model has answered. Who announces a task is sent `spi.agent.TASK_STOP`
when it is to be stopped. And that their context was compacted (`context.compacted`).
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "_sandbox_agent/"

SESSION_CREATED: Final = PREFIX + "session.created"
SESSION_UPDATED: Final = PREFIX + "session.updated"
SESSION_RESUMED: Final = PREFIX + "session.resumed"
SESSION_REWOUND: Final = PREFIX + "session.rewound"
SESSION_ENDED: Final = PREFIX + "session.ended"
TURN_STARTED: Final = PREFIX + "turn.started"
"""By the agent itself: a turn that has a prompt starts with `session/prompt`."""
TURN_QUEUED: Final = PREFIX + "turn.queued"
TURN_DROPPED: Final = PREFIX + "turn.dropped"
TURN_STEERED: Final = PREFIX + "turn.steered"
TURN_ENDED: Final = PREFIX + "turn.ended"
"""The agent could not answer `session/prompt` itself; or the agent's, of a turn of its own."""
TURN_DIFF: Final = PREFIX + "turn.diff"
"""After the end of a turn that changed files: with its `turnId`."""
TASK_STARTED: Final = PREFIX + "task.started"
TASK_UPDATED: Final = PREFIX + "task.updated"
TASK_ENDED: Final = PREFIX + "task.ended"
MESSAGE_COMPLETED: Final = PREFIX + "message.completed"
REASONING_COMPLETED: Final = PREFIX + "reasoning.completed"
MESSAGE_DELTA: Final = PREFIX + "message.delta"
REASONING_DELTA: Final = PREFIX + "reasoning.delta"
"""The message ended in half a character, which no delta has shown: now it is known to be all of it."""
TOOL_COMPLETED: Final = PREFIX + "tool.completed"
"""The turn ended with the tool call open: `projection.closed_tool_call` makes the params."""
AGENT_STARTED: Final = PREFIX + "agent.started"
AGENT_EXITED: Final = PREFIX + "agent.exited"
PERMISSION_MODE_CHANGED: Final = PREFIX + "permission_mode.changed"
LOG_REPAIRED: Final = PREFIX + "log.repaired"
LOG_DAMAGED: Final = PREFIX + "log.damaged"
"""Stands where a line of the log cannot be read: made when it is read, and nowhere written."""
ERROR: Final = PREFIX + "error"
AGENT_UNPARSED: Final = PREFIX + "agent.unparsed"
MODEL_RESPONDED: Final = PREFIX + "model.responded"
"""Of an adapter, after each answer of a model: `{sessionId, callId?, model?, usage?, cost?, parentToolCallId?}`. `usage` in
ACP's words, of this answer alone; with the `callId` of an earlier one it takes its place. `parentToolCallId`: of a
sub-agent. Without `cost` it is reckoned from the price of the `model`, or of that of the session."""

HALF: Final = "half"
"""An annotation: see `surrogates`. The delta before did not show it, this one begins with it."""

HOOK: Final = PREFIX + "hook"
"""A request of an adapter whose session was opened with `_meta.hooks: {before_tool, after_tool}`: `{sessionId, event:
before_tool | after_tool, toolCall, output?}` -> `{decision?: allow | deny | ask, message?, updatedInput?, context?}`.
Without a decision it is as without a hook; after a tool only `context` counts."""
HOST_TOOL: Final = PREFIX + "host_tool"
"""A request that the server's own MCP server makes for the agent: `{sessionId, tool, input, client}` -> an MCP
`CallToolResult`."""
HOOK_RESOLVED: Final = PREFIX + "hook.resolved"
"""A hook that was asked through a permission has been answered; the answer to the permission may come later."""
MCP_STATUS: Final = PREFIX + "mcp.status"
CONTEXT_COMPACTED: Final = PREFIX + "context.compacted"
COMMANDS_UPDATED: Final = PREFIX + "commands.updated"
"""Of an agent that has none of its own: those of the server."""

OF_TASKS: Final[frozenset[str]] = frozenset({TASK_STARTED, TASK_UPDATED, TASK_ENDED})
OF_OWN_TURNS: Final[frozenset[str]] = frozenset({TURN_STARTED, TURN_ENDED})
FROM_ADAPTERS: Final = frozenset({AGENT_UNPARSED, CONTEXT_COMPACTED, ERROR, MCP_STATUS})
"""These may also come from the agent's side: its adapter notices them first."""
