"""The base of every agent's options."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from sandbox_agent_core.api.policy import PermissionRule

__all__ = ["RISKY", "AgentOptions"]

RISKY: Final[dict[str, Any]] = {"risky": True}
"""`json_schema_extra` of a field that can loosen a policy or trust: what runs without a question, what of a workspace
or of a plug-in runs by itself, what the agent may reach. A server takes it only when its configuration lists it."""


class AgentOptions(BaseModel):
    """Options of one agent. Every field is optional, and documented; what is left out is as the agent has it.

    No secrets belong here: options are stored with the session and shown in it.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """What was given, in camelCase."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)

    def allow_rules(self) -> list[PermissionRule]:
        """What the options allow without a question, in the words of a policy: they are added at the end of the
        session's, so that nothing which that forbids is done."""
        return []

    @classmethod
    def names(cls) -> list[str]:
        """On the wire, in the order of the model."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def risky_names(cls) -> frozenset[str]:
        """Of those that a server takes only when it is told to."""
        return frozenset(
            field.alias or name
            for name, field in cls.model_fields.items()
            if isinstance(extra := field.json_schema_extra, dict) and extra.get("risky") is True
        )
