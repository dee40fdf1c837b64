"""Facts that the server adds to a log, as JSON-RPC notifications with an extension method.

ACP reserves methods that start with `_` for extensions, so an ACP tool that reads the frame view
skips these. `params` of each:

    session_created   {agent, cwd, agentSessionId?, model?, mode?, agentInfo?, metadata?}
    session_resumed   {continuity: native|replayed|lost, agentSessionId?, reason?}
    session_ended     {reason: deleted|ended|error, detail?}
    turn_queued       {turnId, prompt: [ContentBlock], position}
    turn_dropped      {turnId, reason: cancelled|interrupted|session_ended}: queued, never started
    turn_ended        {turnId, stopReason: interrupted|error|cancelled, error?: {code, message, data?}}:
                      the agent could not answer `session/prompt` itself
    message_completed {messageId, role: user|assistant, content: [ContentBlock], parentToolCallId?}
    reasoning_completed {messageId, content: [ContentBlock], parentToolCallId?}
                      both carry what was streamed since the item's last completion: an item is the
                      concatenation of its completions
    tool_closed       {toolCallId, status: failed, reason}: the turn ended with the tool call open
    agent_started     {pid?, command: [str], version?}
    agent_exited      {exitCode?, signal?, stderrTail?, expected: bool}
    permission_mode   {mode: ask|accept-edits|read-only|plan|bypass, modeId?}: how permissions are decided from
                      now on; modeId is the agent's own mode, when it was set to one
    error             {code, message, retryable, data?}
    unparsed          {text, reason}: a line the agent wrote that is not a protocol message

`facts` stamped on other entries:

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

SESSION_CREATED: Final = PREFIX + "session_created"
SESSION_RESUMED: Final = PREFIX + "session_resumed"
SESSION_ENDED: Final = PREFIX + "session_ended"
TURN_QUEUED: Final = PREFIX + "turn_queued"
TURN_DROPPED: Final = PREFIX + "turn_dropped"
TURN_ENDED: Final = PREFIX + "turn_ended"
MESSAGE_COMPLETED: Final = PREFIX + "message_completed"
REASONING_COMPLETED: Final = PREFIX + "reasoning_completed"
TOOL_CLOSED: Final = PREFIX + "tool_closed"
AGENT_STARTED: Final = PREFIX + "agent_started"
AGENT_EXITED: Final = PREFIX + "agent_exited"
PERMISSION_MODE: Final = PREFIX + "permission_mode"
ERROR: Final = PREFIX + "error"
UNPARSED: Final = PREFIX + "unparsed"
