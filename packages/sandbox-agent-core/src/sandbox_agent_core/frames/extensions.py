"""Facts that the server adds to a log, as JSON-RPC notifications with an extension method.

ACP reserves methods that start with `_` for extensions, so an ACP tool that reads the frame view
skips these. `params` of each:

    session.created   {agent, cwd, agentSessionId?, model?, mode?, agentInfo?, metadata?}
    session.resumed   {continuity: native|replayed|lost, agentSessionId?, reason?}
    session.ended     {reason: deleted|ended|error, detail?}
    turn.queued       {turnId, prompt: [ContentBlock], position}
    turn.dropped      {turnId, reason: cancelled|interrupted|session_ended}: queued, never started
    turn.ended        {turnId, stopReason: interrupted|error|cancelled, error?: {code, message, data?}}:
                      the agent could not answer `session/prompt` itself
    message.completed {messageId, role: user|assistant, content: [ContentBlock], parentToolCallId?}
    reasoning.completed {messageId, content: [ContentBlock], parentToolCallId?}
                      both carry what was streamed since the item's last completion: an item is the
                      concatenation of its completions
    tool.completed       {toolCallId, status: failed, reason}: the turn ended with the tool call open
    agent.started     {pid?, command: [str], version?}
    agent.exited      {exitCode?, signal?, stderrTail?, expected: bool}
    permission_mode.changed   {mode: ask|accept-edits|read-only|plan|bypass, modeId?}: how permissions are decided from
                      now on; modeId is the agent's own mode, when it was set to one
    error             {code, message, retryable, data?}
    agent.unparsed          {text, reason}: a line the agent wrote that is not a protocol message

`annotations` stamped on other entries:

    session/request_permission, elicitation/create   {kind, expiresAt?, default}
    their responses   {kind, decidedBy: user|policy|timeout|cancel, optionId?, optionKind?, optionName?,
                       rule?, reply?, actor?, answers?}
    tool_call_update that completes a tool call   {tool: fields of earlier updates this one leaves out}
    session/set_mode response {modeId};  session/set_model response {modelId};
    session/set_config_option response {configId, value}
    session/update while history is replayed by `session/load`   {replay: true}
    session/update after its turn has ended   {late: true}
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "_sandbox_agent/"

SESSION_CREATED: Final = PREFIX + "session.created"
SESSION_UPDATED: Final = PREFIX + "session.updated"
SESSION_RESUMED: Final = PREFIX + "session.resumed"
SESSION_ENDED: Final = PREFIX + "session.ended"
TURN_QUEUED: Final = PREFIX + "turn.queued"
TURN_DROPPED: Final = PREFIX + "turn.dropped"
TURN_ENDED: Final = PREFIX + "turn.ended"
MESSAGE_COMPLETED: Final = PREFIX + "message.completed"
REASONING_COMPLETED: Final = PREFIX + "reasoning.completed"
TOOL_COMPLETED: Final = PREFIX + "tool.completed"
AGENT_STARTED: Final = PREFIX + "agent.started"
AGENT_EXITED: Final = PREFIX + "agent.exited"
PERMISSION_MODE_CHANGED: Final = PREFIX + "permission_mode.changed"
LOG_REPAIRED: Final = PREFIX + "log.repaired"
ERROR: Final = PREFIX + "error"
AGENT_UNPARSED: Final = PREFIX + "agent.unparsed"
