"""What can be asked of Copilot in long work: by its commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sandbox_agent_core.frames import Frame, extensions, operations
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.lenient import as_dict, as_text, compact

from sandbox_agent_server.agents.acp.verbs import Verb, by_command

__all__ = ["CAPABILITIES", "VERBS"]

CAPABILITIES: Final[Mapping[str, Any]] = {"compact": True, "review": True}


def _compacted(params: Mapping[str, Any]) -> Sequence[Frame]:
    told = compact(sessionId=as_text(params.get("sessionId")), trigger="manual")
    return [notification(extensions.CONTEXT_COMPACTED, told)]


def _about(params: Mapping[str, Any]) -> str | None:
    """What is reviewed, where it is not what is uncommitted."""
    target = as_dict(params.get("target"))
    words = {
        "branch": f"the changes against the branch {target.get('branch')}",
        "commit": f"the changes of the commit {target.get('sha')}",
        "custom": as_text(target.get("instructions")),
    }
    return words.get(str(target.get("type")))


VERBS: Final[Mapping[str, Verb]] = {
    operations.SESSION_COMPACT: by_command(
        "/compact", words=lambda params: as_text(params.get("instructions")), then=_compacted
    ),
    operations.SESSION_REVIEW: by_command("/review", words=_about),
}
