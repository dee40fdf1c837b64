"""What an answer to `session/request_permission` says beside the chosen option, in `_meta.sandbox_agent`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox_agent_core.lenient import as_dict, as_text

__all__ = ["PermissionReply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionReply:
    message: str | None = None
    """For the model, instead of a sentence of the adapter's that it was refused."""
    updated_input: dict[str, Any] | None = None
    """What the tool gets, instead of what the model asked for."""
    stops: bool = False
    """A refusal also ends the turn."""

    @classmethod
    def read(cls, result: Mapping[str, Any] | None) -> PermissionReply:
        said = as_dict(as_dict((result or {}).get("_meta")).get("sandbox_agent"))
        updated = said.get("updatedInput")
        return cls(
            message=as_text(said.get("message")),
            updated_input=updated if isinstance(updated, dict) else None,
            stops=said.get("onReject") == "stop",
        )
