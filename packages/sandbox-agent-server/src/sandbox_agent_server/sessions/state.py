"""What a session is, as a value: a fold over the entries of its log, and nothing else.

So whatever is kept of it elsewhere can be lost: the log makes it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sandbox_agent_core.api.base_urls import BaseUrls
from sandbox_agent_core.api.policy import PermissionPolicy
from sandbox_agent_core.api.requests import OnReject
from sandbox_agent_core.api.sessions import SessionHooks
from sandbox_agent_core.events import ForkedFrom
from sandbox_agent_core.lenient import as_dict, as_str, dicts_in

from sandbox_agent_server.agents.runner.config_options import ConfigOptions
from sandbox_agent_server.sessions.background import TaskState
from sandbox_agent_server.sessions.spending import Spending

__all__ = [
    "MAX_GRANTS",
    "SessionSettings",
    "SessionState",
]

MAX_GRANTS: Final = 256
"""What was always allowed in a session and is remembered here; of more the oldest is asked for again."""
STATE_VERSION: Final = 4

Continuity = Literal["fresh", "native", "replayed", "lost"]


class SessionSettings(BaseModel):
    """What a session was made with, and what PATCH has made of it: the data of `session.created`."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )

    agent: str
    cwd: str
    model: str | None = None
    mode: str | None = None
    thought_level: str | None = None
    # Factories, because a default value is copied deeply for every row of a list.
    config_options: dict[str, str | bool] = Field(default_factory=dict)
    system_prompt: str | None = None
    base_url: BaseUrls | None = None
    trust_workspace: bool = False
    permission_policy: PermissionPolicy = Field(default_factory=PermissionPolicy)
    on_reject: OnReject | None = None
    hooks: SessionHooks = Field(default_factory=SessionHooks)
    additional_directories: list[str] = Field(default_factory=list)
    agent_options: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    title: str | None = None
    diffs: bool | None = None
    forked_from: ForkedFrom | None = None
    context: str | None = None
    """The conversation of an earlier sandbox, or of the session that this is a fork of, as text."""

    def to_wire(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True, exclude_defaults=True)

    def updated(self, changes: Mapping[str, Any]) -> SessionSettings:
        """`changes`: the data of `session.updated`."""
        known = self.to_wire()
        options = {**self.config_options, **as_dict(changes.get("configOptions"))}
        return SessionSettings.model_validate({**known, **changes, "configOptions": options})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    settings: SessionSettings
    created_ms: int
    options: ConfigOptions
    """What the agent offers, and what of it is chosen."""
    ended_ms: int | None = None
    is_running: bool = False
    """The agent was started and its end is not in the log."""
    agent_session_id: str | None = None
    agent_title: str | None = None
    """What the agent calls it."""
    first_prompt: str | None = None
    """The beginning of it: what a list calls a session that has no title."""
    last_prompt: str | None = None
    commands: tuple[str, ...] = ()
    """Names of the slash commands that the agent takes."""
    agent_info: dict[str, Any] | None = None
    capabilities: dict[str, Any] = field(default_factory=dict)
    mcp_servers: tuple[str, ...] = ()
    """That the agent was given when it was last started; so are the next three."""
    host_tools: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    continuity: Continuity = "fresh"
    context_due: bool = True
    """The agent has not yet been told what it does not know by itself; the next prompt does it."""
    turn_id: str | None = None
    turn_seq: int = 0
    """Of the `session/prompt` of the running turn."""
    own_turn_id: str | None = None
    """The turn that the agent began by itself. A prompt may run beside it, for the moment it takes the agent
    to see it."""
    own_turn_seq: int = 0
    tasks: Mapping[str, TaskState] = field(default_factory=dict)
    """Background tasks that run, oldest first."""
    queued: tuple[str, ...] = ()
    pending: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Open requests, oldest first: id -> what was asked."""
    grants: tuple[dict[str, Any], ...] = ()
    """What a person has always allowed, where the agent could only have written it into a file."""
    unparsed: int = 0
    spending: Spending = field(default_factory=Spending)

    @classmethod
    def begun(
        cls, settings: SessionSettings, created_ms: int, native_modes: Mapping[str, str]
    ) -> SessionState:
        """Of a session that has just been made."""
        origin = settings.forked_from
        return cls(
            settings=settings,
            created_ms=created_ms,
            options=ConfigOptions(native_modes=native_modes),
            context_due=origin is None or origin.how != "native",
        )

    @property
    def title(self) -> str | None:
        return self.settings.title or self.agent_title

    @property
    def is_open(self) -> bool:
        """Something of it would have to be ended after a crash."""
        return (
            self.is_running
            or self.turn_id is not None
            or self.own_turn_id is not None
            or bool(self.queued or self.pending or self.tasks)
        )

    @property
    def open_since_seq(self) -> int | None:
        """Of the entry that began the oldest of what is open: a turn, or the turn of a task."""
        began = [task.turn_seq for task in self.tasks.values()]
        if self.turn_id is not None:
            began.append(self.turn_seq)
        if self.own_turn_id is not None:
            began.append(self.own_turn_seq)
        return min(began, default=None)

    def to_wire(self) -> dict[str, Any]:
        return {
            "version": STATE_VERSION,
            "settings": self.settings.to_wire(),
            "createdMs": self.created_ms,
            "endedMs": self.ended_ms,
            "running": self.is_running,
            "options": self.options.to_wire(),
            "agentSessionId": self.agent_session_id,
            "agentTitle": self.agent_title,
            "prompts": [self.first_prompt, self.last_prompt],
            "commands": self.commands,
            "agentInfo": self.agent_info,
            "capabilities": self.capabilities,
            "equipment": [self.mcp_servers, self.skills, self.warnings, self.host_tools],
            "continuity": self.continuity,
            "contextDue": self.context_due,
            "turnId": self.turn_id,
            "turnSeq": self.turn_seq,
            "ownTurnId": self.own_turn_id,
            "ownTurnSeq": self.own_turn_seq,
            "tasks": {id: asdict(task) for id, task in self.tasks.items()},
            "queued": self.queued,
            "pending": dict(self.pending),
            "grants": list(self.grants),
            "unparsed": self.unparsed,
            "spending": self.spending.to_wire(),
        }

    @classmethod
    def from_wire(
        cls, wire: Mapping[str, Any], *, native_modes: Mapping[str, str]
    ) -> SessionState | None:
        """None when another version of the server wrote it, or it is damaged: then the log is read."""
        if wire.get("version") != STATE_VERSION or not all(
            isinstance(wire.get(name), type) for name, type in _WIRE_TYPES.items()
        ):
            return None
        if not all(isinstance(asked, dict) for asked in wire["pending"].values()):
            return None
        try:
            return cls._read(wire, native_modes)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    @classmethod
    def _read(cls, wire: Mapping[str, Any], native_modes: Mapping[str, str]) -> SessionState:
        first_prompt, last_prompt = (as_str(prompt) for prompt in wire["prompts"])
        equipment = [tuple(names) for names in wire.get("equipment", ((), (), (), ()))]
        return cls(
            settings=SessionSettings.model_validate(wire["settings"]),
            created_ms=wire["createdMs"],
            ended_ms=wire["endedMs"],
            is_running=wire["running"],
            options=ConfigOptions.from_wire(wire["options"], native_modes=native_modes),
            agent_session_id=wire["agentSessionId"],
            agent_title=wire["agentTitle"],
            first_prompt=first_prompt,
            last_prompt=last_prompt,
            commands=tuple(wire["commands"]),
            agent_info=wire["agentInfo"],
            capabilities=wire["capabilities"],
            mcp_servers=equipment[0],
            skills=equipment[1],
            warnings=equipment[2],
            host_tools=equipment[3],
            continuity=wire["continuity"],
            context_due=wire["contextDue"],
            turn_id=wire["turnId"],
            turn_seq=wire["turnSeq"],
            own_turn_id=wire["ownTurnId"],
            own_turn_seq=wire["ownTurnSeq"],
            tasks={id: TaskState(**task) for id, task in wire["tasks"].items()},
            queued=tuple(wire["queued"]),
            pending=wire["pending"],
            grants=tuple(dicts_in(wire.get("grants"))),
            unparsed=wire["unparsed"],
            spending=Spending.from_wire(wire.get("spending")),
        )


_TEXT: Final = (str, type(None))
_WIRE_TYPES: Final[dict[str, Any]] = {
    "settings": dict,
    "createdMs": int,
    "endedMs": (int, type(None)),
    "running": bool,
    "options": dict,
    "agentSessionId": _TEXT,
    "agentTitle": _TEXT,
    "prompts": list,
    "commands": list,
    "agentInfo": (dict, type(None)),
    "capabilities": dict,
    "continuity": str,
    "contextDue": bool,
    "turnId": _TEXT,
    "turnSeq": int,
    "queued": list,
    "pending": dict,
    "unparsed": int,
}
