"""What OpenCode and its forks can do, as their answer to `initialize` says it."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.spi.capabilities import CAPABILITIES_META

__all__ = ["CAPABILITIES"]

CAPABILITIES: Final[dict[str, Any]] = {
    # It keeps the conversation and does not tell it: it resumes, it does not load.
    "loadSession": False,
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": True},
    "sessionCapabilities": {"resume": {}, "additionalDirectories": {}},
    "_meta": {
        CAPABILITIES_META: {
            "steer": True,
            "compact": True,
            "review": True,
            "fork": {"at": True},
            "rewind": {"files": True, "conversation": True},
            "rename": True,
            "native": True,
            "outputSchema": True,
            "usage": "cost",
            "permissionAnswers": ["message", "onReject"],
        }
    },
}
