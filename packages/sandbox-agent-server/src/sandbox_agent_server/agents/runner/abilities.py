"""What a user interface can expect of an agent, before it runs and, more exactly, once it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sandbox_agent_core.api.agents import AgentAbilities, AgentConfig
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import AgentDefinition

__all__ = ["abilities_of", "settable"]

_NAMES: Final = {"model": "Model", "mode": "Mode"}


def abilities_of(definition: AgentDefinition, offered: AgentConfig | None = None) -> AgentAbilities:
    """`offered`: what the agent said when it was asked, which outweighs what its definition says."""
    prompt = as_dict(as_dict(offered.capabilities if offered else None).get("promptCapabilities"))
    has_images = "images" not in definition.lacks
    return AgentAbilities(
        # The server keeps these modes and the events of every agent alike.
        plan_mode=True,
        permissions=True,
        tool_calls=True,
        tool_results=True,
        text_messages=True,
        session_lifecycle=True,
        error_events=True,
        reasoning=True,
        status=True,
        command_execution=True,
        file_changes=True,
        streaming_deltas=True,
        item_started=True,
        shared_process=False,
        questions="questions" not in definition.lacks,
        mcp_tools="mcp" not in definition.lacks and bool(definition.mcp_transports),
        images=prompt.get("image") is True if offered else has_images,
        file_attachments=prompt.get("embeddedContext") is True if offered else True,
    )


def settable(offered: AgentConfig) -> list[dict[str, Any]]:
    """Its config options, with what it tells in another way as one: whoever shows options shows it, too."""
    categories = {option.get("category", option.get("id")) for option in offered.config_options}
    told: dict[str, tuple[Sequence[dict[str, Any]], str | None]] = {
        "model": (offered.models, offered.model),
        "mode": (offered.modes, offered.mode),
    }
    return [
        *offered.config_options,
        *(
            _select(category, choices, current)
            for category, (choices, current) in told.items()
            if choices and category not in categories
        ),
    ]


def _select(
    category: str, choices: Sequence[dict[str, Any]], current: str | None
) -> dict[str, Any]:
    options = [
        {
            "value": choice.get("id"),
            "name": choice.get("name") or choice.get("id"),
            **({"description": choice["description"]} if choice.get("description") else {}),
        }
        for choice in choices
    ]
    return {
        "id": category,
        "category": category,
        "name": _NAMES[category],
        "type": "select",
        "currentValue": current,
        "options": options,
    }
