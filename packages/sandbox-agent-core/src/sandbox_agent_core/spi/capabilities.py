"""What an agent can do in long work, as its answer to `initialize` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sandbox_agent_core.lenient import as_dict, as_list

__all__ = ["CAPABILITIES_META", "AgentCapabilities", "UsageTold"]

CAPABILITIES_META: Final = "sandbox_agent"
"""The member of `agentCapabilities._meta` in which adapters say what ACP has no field for."""


UsageTold = Literal["cost", "tokens", "modelTokens"]
"""`cost`: what it cost. `tokens`, of the model that the session is set to; `modelTokens`, with the name of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCapabilities:
    """What is not announced is not supported."""

    steer: bool = False
    compact: bool = False
    review: bool = False
    fork: bool = False
    """A session as it is. ACP agents that announce `sessionCapabilities.fork` count."""
    fork_at: bool = False
    """Also before an earlier prompt of it."""
    rewind_files: bool = False
    rewind_conversation: bool = False
    rename: bool = False
    native: bool = False
    output_schema: bool = False
    usage: UsageTold | None = None
    """What is told of each answer of a model, while a turn runs."""
    hooks: frozenset[str] = frozenset()
    """Of `before_tool`, `after_tool`."""
    permission_answers: frozenset[str] = frozenset()
    """Of `message`, `updatedInput`: what it takes beside the chosen option."""

    @classmethod
    def read(cls, capabilities: Mapping[str, Any]) -> AgentCapabilities:
        """From `agentCapabilities`, whatever they hold."""
        own = as_dict(as_dict(capabilities.get("_meta")).get(CAPABILITIES_META))
        fork, rewind = own.get("fork"), as_dict(own.get("rewind"))
        of_acp = as_dict(capabilities.get("sessionCapabilities")).get("fork")
        return cls(
            steer=own.get("steer") is True,
            compact=own.get("compact") is True,
            review=own.get("review") is True,
            fork=fork is True or isinstance(fork, dict) or _is_announced(of_acp),
            fork_at=as_dict(fork).get("at") is True,
            rewind_files=rewind.get("files") is True,
            rewind_conversation=rewind.get("conversation") is True,
            rename=own.get("rename") is True,
            native=own.get("native") is True,
            output_schema=own.get("outputSchema") is True,
            usage=told if (told := own.get("usage")) in get_args(UsageTold) else None,
            hooks=_texts(own.get("hooks")),
            permission_answers=_texts(own.get("permissionAnswers")),
        )


def _is_announced(capability: Any) -> bool:
    """ACP announces with an object, which may be empty."""
    return capability is True or isinstance(capability, dict)


def _texts(value: Any) -> frozenset[str]:
    return frozenset(item for item in as_list(value) if isinstance(item, str))
