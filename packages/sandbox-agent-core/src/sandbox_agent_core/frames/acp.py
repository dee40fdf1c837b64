"""The vocabulary of the Agent Client Protocol v1: names, not models.

Models would drop what they do not know; the log must not. Source: agentclientprotocol.com,
schema v1 (stable), November 2026.
"""

from __future__ import annotations

from typing import Final

PROTOCOL_VERSION: Final = 1

# Client -> agent
INITIALIZE: Final = "initialize"
AUTHENTICATE: Final = "authenticate"
SESSION_NEW: Final = "session/new"
SESSION_LOAD: Final = "session/load"
SESSION_RESUME: Final = "session/resume"
SESSION_FORK: Final = "session/fork"
"""Not stable yet."""
SESSION_PROMPT: Final = "session/prompt"
SESSION_CANCEL: Final = "session/cancel"
SESSION_SET_MODE: Final = "session/set_mode"
SESSION_SET_MODEL: Final = "session/set_model"
SESSION_SET_CONFIG_OPTION: Final = "session/set_config_option"

# Agent -> client
SESSION_UPDATE: Final = "session/update"
SESSION_REQUEST_PERMISSION: Final = "session/request_permission"
ELICITATION_CREATE: Final = "elicitation/create"
FS_READ_TEXT_FILE: Final = "fs/read_text_file"
FS_WRITE_TEXT_FILE: Final = "fs/write_text_file"

# Both ways
CANCEL_REQUEST: Final = "$/cancel_request"

# `update.sessionUpdate`
USER_MESSAGE_CHUNK: Final = "user_message_chunk"
AGENT_MESSAGE_CHUNK: Final = "agent_message_chunk"
AGENT_THOUGHT_CHUNK: Final = "agent_thought_chunk"
TOOL_CALL: Final = "tool_call"
TOOL_CALL_UPDATE: Final = "tool_call_update"
PLAN: Final = "plan"
AVAILABLE_COMMANDS_UPDATE: Final = "available_commands_update"
CURRENT_MODE_UPDATE: Final = "current_mode_update"
CONFIG_OPTION_UPDATE: Final = "config_option_update"
USAGE_UPDATE: Final = "usage_update"
SESSION_INFO_UPDATE: Final = "session_info_update"

TOOL_KINDS: Final = frozenset(
    {
        "read", "edit", "delete", "move", "search", "execute", "think", "fetch",
        "switch_mode", "other",
    }
)  # fmt: skip
TOOL_STATUSES: Final = frozenset({"pending", "in_progress", "completed", "failed"})
STOP_REASONS: Final = frozenset(
    {"end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled"}
)
PERMISSION_KINDS: Final = ("allow_once", "allow_always", "reject_once", "reject_always")
